// Asking the admin API as whoever is signed in. The token against forged forms stands in every form of a page.

export const environment = () => document.body.dataset.environment;

export function address(path, query = {}) {
  const asked = new URLSearchParams({ environment: environment(), ...query });
  return `${path}?${asked}`;
}

export async function ask(method, path, { query, body, headers, signal } = {}) {
  const response = await fetch(address(path, query), {
    method,
    signal,
    headers: {
      "Wigwag-CSRF": document.querySelector("input[name=csrf]")?.value ?? "",
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  let plain = null;
  try {
    plain = text ? JSON.parse(text) : null;
  } catch {
    plain = { detail: `The server answered with status ${response.status}.` };
  }
  return { status: response.status, ok: response.ok, body: plain };
}

// Elements are made, never written as HTML: what people typed stays text.
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.startsWith("aria") && name !== "list") element[name] = value;
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function later(work, waitMs) {
  let timer = 0;
  return (...words) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...words), waitMs);
  };
}
