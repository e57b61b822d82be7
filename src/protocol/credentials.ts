// What a client that can't set headers says in the password of its proxy credentials: `name-value` parameters joined by
// commas, such as `session-checkout_7,country-us`.

import { distance } from 'fastest-levenshtein';
import { GatewayError } from '../sessions/errors.js';
import { QUOTED_CHARACTERS } from './protocol-fields.js';

/** What the password asked for. */
export interface CredentialParameters {
  /** Digits only: a session ID. Anything else: the name of a session to get or create. */
  readonly session?: string;
  /** ISO 3166 code, lower case. */
  readonly country?: string;
  readonly pacing?: 'client';
  readonly bancheck?: 'off';
}

type ParameterName = keyof CredentialParameters;

const VALUE = /^[0-9A-Za-z._~]{1,50}$/;

/** Per parameter: which values it takes, in a regular expression and in words. */
const PARAMETERS: Readonly<Record<ParameterName, { readonly pattern: RegExp; readonly takes: string }>> = {
  session: { pattern: VALUE, takes: '1 to 50 of the characters 0-9 A-Z a-z . _ ~' },
  country: { pattern: /^[A-Za-z]{2}$/, takes: 'two letters, such as us' },
  pacing: { pattern: /^client$/, takes: 'client' },
  bancheck: { pattern: /^off$/, takes: 'off' },
};

/**
 * Reads the parameters in a proxy password. A password without `-` says nothing: real clients send dummies.
 *
 * @throws GatewayError `bad_header` for a parameter that is unknown, repeated, empty or has a bad value
 */
export function readCredentialParameters(password: string): CredentialParameters {
  const text = decode(password);
  if (!text.includes('-')) return {};
  const found: Partial<Record<ParameterName, string>> = {};
  for (const parameter of text.split(',')) {
    const dash = parameter.indexOf('-');
    const name = dash === -1 ? parameter : parameter.slice(0, dash);
    if (!isKnown(name)) throw unknownParameter(name.slice(0, QUOTED_CHARACTERS));
    if (found[name] !== undefined)
      throw badParameter(`Parameter "${name}" stands twice in the proxy password; give it once`);
    const value = dash === -1 ? '' : parameter.slice(dash + 1);
    const { pattern, takes } = PARAMETERS[name];
    if (!pattern.test(value)) {
      const shown = value.slice(0, QUOTED_CHARACTERS);
      throw badParameter(`Parameter "${name}" in the proxy password has the bad value "${shown}"; it takes ${takes}`);
    }
    found[name] = name === 'country' ? value.toLowerCase() : value;
  }
  return found as CredentialParameters;
}

/** Whether a proxy password has the parameter `session`, with a good value or a bad one. */
export function hasSessionParameter(password: string): boolean {
  const text = decodeIfPossible(password) ?? password;
  return text.includes('-') && text.split(',').some((parameter) => /^session(?:-|$)/.test(parameter));
}

function decode(password: string): string {
  const text = decodeIfPossible(password);
  if (text !== undefined) return text;
  if (!password.includes('-')) return '';
  throw badParameter('The proxy password has a broken percent escape; write % itself as %25');
}

function decodeIfPossible(password: string): string | undefined {
  if (!password.includes('%')) return password;
  try {
    return decodeURIComponent(password);
  } catch {
    return undefined; // A broken escape, and nothing else, makes it throw.
  }
}

function isKnown(name: string): name is ParameterName {
  return Object.hasOwn(PARAMETERS, name);
}

function unknownParameter(name: string): GatewayError {
  const known = Object.keys(PARAMETERS);
  const nearest = known.toSorted((a, b) => distance(name, a) - distance(name, b))[0];
  return badParameter(
    `Unknown parameter "${name}" in the proxy password; known are ${known.join(', ')}. Did you mean "${nearest}"?`,
  );
}

function badParameter(message: string): GatewayError {
  return new GatewayError('bad_header', message);
}
