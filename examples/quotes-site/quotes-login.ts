// The login of the quotes site: a form with a token against forged requests, and a cookie that holds only at the address
// that logged in, as careful sites have it. Knows neither quotes nor proxies.
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

/** Tokens and logins kept at most, oldest out first, so that a site left running does not grow without end. */
const MAX_KEPT = 1_000;

/** Who may log in. */
const NAME = 'reader';
const PASSWORD = 'letters';

/** Answers what belongs to the login. */
export interface QuotesLogin {
  /** Serves `/login` and `/logout`. @returns false for other paths */
  serve(request: IncomingMessage, response: ServerResponse, fromIp: string): boolean;
  /** The link at the head of each page: who is logged in there, or where one can. */
  linkFor(request: IncomingMessage, fromIp: string): string;
}

/** Makes the login of one site. */
export function createLogin(): QuotesLogin {
  const tokens = new Map<string, string>();
  const logins = new Map<string, string>();
  const isLoggedIn = (request: IncomingMessage, fromIp: string): boolean =>
    logins.get(readCookie(request, 'login') ?? '') === fromIp;

  async function logIn(request: IncomingMessage, response: ServerResponse, fromIp: string): Promise<void> {
    const form = new URLSearchParams(await text(request));
    const token = form.get('csrf_token') ?? '';
    const isOwnForm = tokens.delete(token) && token === readCookie(request, 'csrf');
    if (!isOwnForm || form.get('username') !== NAME || form.get('password') !== PASSWORD) {
      response.writeHead(403, { 'Content-Type': 'text/html' }).end('<p class="error">No such login</p>');
      return;
    }
    const login = keep(logins, fromIp);
    response.writeHead(302, { Location: '/', 'Set-Cookie': `login=${login}; Path=/; HttpOnly` }).end();
  }

  return {
    serve(request, response, fromIp) {
      const { pathname } = new URL(request.url ?? '/', 'http://quotes');
      if (pathname === '/logout') response.writeHead(302, { Location: '/', 'Set-Cookie': 'login=; Max-Age=0' }).end();
      else if (pathname !== '/login') return false;
      else if (request.method === 'POST') void logIn(request, response, fromIp).catch(() => response.destroy());
      else {
        const token = keep(tokens, fromIp);
        const headers = { 'Content-Type': 'text/html', 'Set-Cookie': `csrf=${token}; Path=/; HttpOnly` };
        response.writeHead(200, headers).end(formOf(token));
      }
      return true;
    },
    linkFor: (request, fromIp) =>
      isLoggedIn(request, fromIp)
        ? '<a class="login" href="/logout">Logout</a>'
        : '<a class="login" href="/login">Login</a>',
  };
}

function keep(kept: Map<string, string>, fromIp: string): string {
  const token = randomBytes(16).toString('hex');
  kept.set(token, fromIp);
  const [oldest] = kept.keys();
  if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
  return token;
}

function readCookie({ headers }: IncomingMessage, name: string): string | undefined {
  const cookies = (headers.cookie ?? '').split(/; */).map((pair) => pair.split('='));
  return cookies.find(([key]) => key === name)?.[1];
}

function formOf(token: string): string {
  return `<!DOCTYPE html><html lang="en"><title>Login</title><form method="post" action="/login">
  <input type="hidden" name="csrf_token" value="${token}">
  <input name="username"><input name="password" type="password"><button>Login</button>
</form></html>`;
}
