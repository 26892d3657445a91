/* The floor: the least that a server of one thread can do. No keys, no cursors, no slow readers.
 *
 *     broadcast
 *
 * Prints {"port":…} and takes streams on it. A line of hex on standard input is an event: it is written to every
 * stream, framed as a chunk. The line that is printed then has the time at which the order was read. A write that the
 * kernel does not take whole ends the program: a floor that lost bytes would measure nothing.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 65536

static const char HEAD[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "Transfer-Encoding: chunked\r\n\r\n14\r\nevent: hello\ndata:\n\r\n\r\n";

static int open_fds[MOST], open_count;
static char line[1 << 20], event[1 << 19], chunk[(1 << 19) + 32];
static int line_length;

static void fail(const char *what) {
    fprintf(stderr, "broadcast: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void broadcast(const char *hex) {
    long long at_ns = now_ns();
    int length = 0;
    for (; digit(hex[0]) >= 0 && digit(hex[1]) >= 0; hex += 2) event[length++] = (char)(digit(hex[0]) << 4 | digit(hex[1]));
    int size = sprintf(chunk, "%x\r\n", length);
    memcpy(chunk + size, event, length);
    size += length;
    memcpy(chunk + size, "\r\n", 2);
    size += 2;
    for (int i = 0; i < open_count; i++)
        if (write(open_fds[i], chunk, size) != size) fail("write");
    printf("{\"atNs\":%lld}\n", at_ns);
    fflush(stdout);
}

static void read_orders(void) {
    ssize_t length = read(0, line + line_length, sizeof line - line_length - 1);
    if (length <= 0) exit(0);
    line_length += length;
    line[line_length] = 0;
    char *end;
    while ((end = strchr(line, '\n'))) {
        *end = 0;
        broadcast(line);
        line_length -= end + 1 - line;
        memmove(line, end + 1, line_length + 1);
    }
}

static void greet(int fd) {
    static char request[65536];
    ssize_t length = read(fd, request, sizeof request);
    if (length > 4 && !memcmp(request + length - 4, "\r\n\r\n", 4)) {
        if (open_count == MOST || write(fd, HEAD, sizeof HEAD - 1) != sizeof HEAD - 1) fail("a new stream");
        open_fds[open_count++] = fd;
        return;
    }
    if (length > 0) {
        fprintf(stderr, "broadcast: a request came in pieces\n");
        exit(1);
    }
    for (int i = 0; i < open_count; i++)
        if (open_fds[i] == fd) open_fds[i] = open_fds[--open_count];
    close(fd);
}

int main(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listening, (struct sockaddr *)&address, size) || listen(listening, 4096)) fail("listen");
    getsockname(listening, (struct sockaddr *)&address, &size);
    printf("{\"port\":%d}\n", ntohs(address.sin_port));
    fflush(stdout);
    int epoll_fd = epoll_create1(0);
    struct epoll_event events[1024], on = {.events = EPOLLIN, .data.fd = listening};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listening, &on);
    on.data.fd = 0;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &on);
    for (;;) {
        int found = epoll_wait(epoll_fd, events, 1024, -1);
        if (found < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < found; i++) {
            int fd = events[i].data.fd;
            if (fd == 0) {
                read_orders();
            } else if (fd == listening) {
                while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                    on.data.fd = fd;
                    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &on);
                }
            } else {
                greet(fd);
            }
        }
    }
}
