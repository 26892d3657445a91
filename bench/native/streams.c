/* The load: many streams of one server, in one process that is never the bottleneck.
 *
 *     streams HOST PORT COUNT
 *
 * Lines on standard input:
 *
 *     open AT_ONCE MARKER REQUEST   open all streams, with at most AT_ONCE that wait for their first bytes
 *     expect MARKER                 wait until every stream has shown the marker; its bytes before this do not count
 *     close                         drop all streams
 *
 * MARKER and REQUEST are bytes in hex. `open` and `expect` end with a line of JSON: when it began, when each per cent
 * of the streams had the marker (CLOCK_MONOTONIC, ns), and how many streams had to be tried again. A stream that ends
 * while none is being opened ends the program. So does the end of standard input.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

#define CARRY 512
#define RETRY_NS 20000000LL

struct stream {
    int fd;
    int begun;          /* its request was sent */
    int heard;          /* its first bytes came */
    int seen;           /* it has shown the marker */
    long long retry_at; /* 0: not waiting to be tried again */
    int carried;
    char carry[CARRY];
};

static struct stream *streams;
static int count, epoll_fd, at_once, waiting, opening, pending, retries, next_to_open;
static struct sockaddr_in address;
static char request[8192], marker[CARRY], chunk[1 << 18];
static int request_length, marker_length;
static long long began_ns, *at_ns;
static int seen_count;
static char line[65536];
static int line_length;

static void fail(const char *what) {
    fprintf(stderr, "streams: %s: %s\n", what, strerror(errno));
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

static int from_hex(const char *text, char *into, int most) {
    int length = 0;
    for (; length < most && digit(text[0]) >= 0 && digit(text[1]) >= 0; text += 2)
        into[length++] = (char)(digit(text[0]) << 4 | digit(text[1]));
    if (*text) {
        fprintf(stderr, "streams: an order is too long, or not hex\n");
        exit(1);
    }
    return length;
}

static void watch(struct stream *s, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = s};
    if (epoll_ctl(epoll_fd, operation, s->fd, &event)) fail("epoll_ctl");
}

static void begin(struct stream *s) {
    s->begun = s->heard = s->seen = s->carried = 0;
    s->retry_at = 0;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (s->fd < 0) fail("socket");
    if (connect(s->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) fail("connect");
    watch(s, EPOLL_CTL_ADD, EPOLLOUT);
    waiting++;
}

static void open_more(void) {
    while (opening && next_to_open < count && waiting < at_once) begin(&streams[next_to_open++]);
}

static void again(struct stream *s) {
    if (!opening) {
        fprintf(stderr, "streams: the server ended a stream\n");
        exit(1);
    }
    if (s->seen) {
        fprintf(stderr, "streams: the server ended a stream that was current\n");
        exit(1);
    }
    if (!s->heard) waiting--;
    close(s->fd);
    s->fd = -1;
    s->retry_at = now_ns() + RETRY_NS;
    retries++;
}

static int ascending(const void *a, const void *b) {
    long long one = *(const long long *)a, other = *(const long long *)b;
    return (one > other) - (one < other);
}

static void report(void) {
    qsort(at_ns, count, sizeof *at_ns, ascending);
    printf("{\"streams\":%d,\"retries\":%d,\"beganNs\":%lld,\"percentNs\":[", count, retries, began_ns);
    for (int percent = 0; percent <= 100; percent++)
        printf("%s%lld", percent ? "," : "", at_ns[(long long)(count - 1) * percent / 100]);
    printf("]}\n");
    fflush(stdout);
    opening = pending = 0;
}

static void search(struct stream *s, const char *bytes, int length) {
    /* What was kept of the bytes before and the new ones are searched as one. */
    static char joined[CARRY * 2];
    int head = length < marker_length ? length : marker_length - 1;
    memcpy(joined, s->carry, s->carried);
    memcpy(joined + s->carried, bytes, head);
    if (memmem(joined, s->carried + head, marker, marker_length) || memmem(bytes, length, marker, marker_length)) {
        s->seen = 1;
        s->carried = 0;
        at_ns[seen_count++] = now_ns();
        if (seen_count == count) report();
        return;
    }
    int keep = marker_length - 1;
    if (length >= keep) {
        memcpy(s->carry, bytes + length - keep, keep);
        s->carried = keep;
    } else {
        int total = s->carried + length;
        memcpy(joined + s->carried, bytes, length);
        int kept = total < keep ? total : keep;
        memcpy(s->carry, joined + total - kept, kept);
        s->carried = kept;
    }
}

static void take(struct stream *s) {
    ssize_t length = read(s->fd, chunk, sizeof chunk);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length <= 0) {
        again(s);
        return;
    }
    if (!s->heard) {
        if (length < 12 || memcmp(chunk + 8, " 200", 4)) {
            again(s); /* a 503, say */
            return;
        }
        s->heard = 1;
        waiting--;
    }
    if (pending && !s->seen) search(s, chunk, (int)length);
}

static void ready(struct stream *s, unsigned events) {
    if (s->fd < 0) return;
    if (s->begun) {
        take(s);
        return;
    }
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error || (events & (EPOLLERR | EPOLLHUP)) || write(s->fd, request, request_length) != request_length) {
        again(s);
        return;
    }
    s->begun = 1;
    watch(s, EPOLL_CTL_MOD, EPOLLIN);
}

static void expect(const char *hex) {
    marker_length = from_hex(hex, marker, CARRY);
    seen_count = retries = 0;
    for (int i = 0; i < count; i++) streams[i].seen = streams[i].carried = 0;
    pending = 1;
    began_ns = now_ns();
}

static void obey(char *order) {
    char *word = strtok(order, " ");
    if (word && !strcmp(word, "open")) {
        at_once = atoi(strtok(NULL, " "));
        char *mark = strtok(NULL, " ");
        request_length = from_hex(strtok(NULL, " "), request, sizeof request);
        opening = 1;
        waiting = next_to_open = 0;
        expect(mark);
    } else if (word && !strcmp(word, "expect")) {
        expect(strtok(NULL, " "));
    } else if (word && !strcmp(word, "close")) {
        pending = opening = 0;
        for (int i = 0; i < count; i++)
            if (streams[i].fd >= 0) close(streams[i].fd), streams[i].fd = -1;
        printf("{\"closed\":%d}\n", count);
        fflush(stdout);
    } else {
        fprintf(stderr, "streams: what is this order?\n");
        exit(1);
    }
}

static void read_orders(void) {
    ssize_t length = read(0, line + line_length, sizeof line - line_length - 1);
    if (length <= 0) exit(0);
    line_length += length;
    line[line_length] = 0;
    char *end;
    while ((end = strchr(line, '\n'))) {
        *end = 0;
        obey(line);
        line_length -= end + 1 - line;
        memmove(line, end + 1, line_length + 1);
    }
}

static int retry(void) {
    int left = 0;
    if (!opening) return 0;
    long long now = now_ns();
    for (int i = 0; i < count; i++) {
        if (!streams[i].retry_at) continue;
        if (streams[i].retry_at <= now && waiting < at_once)
            begin(&streams[i]);
        else
            left++;
    }
    return left;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    address.sin_family = AF_INET;
    address.sin_port = htons(atoi(argv[2]));
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    count = atoi(argv[3]);
    streams = calloc(count, sizeof *streams);
    at_ns = calloc(count, sizeof *at_ns);
    if (!streams || !at_ns) fail("calloc");
    for (int i = 0; i < count; i++) streams[i].fd = -1;
    epoll_fd = epoll_create1(0);
    struct epoll_event events[1024], orders = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &orders)) fail("epoll_ctl of standard input");
    for (;;) {
        open_more();
        int found = epoll_wait(epoll_fd, events, 1024, opening && retry() ? 5 : -1);
        if (found < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < found; i++)
            if (events[i].data.ptr)
                ready(events[i].data.ptr, events[i].events);
            else
                read_orders();
    }
}
