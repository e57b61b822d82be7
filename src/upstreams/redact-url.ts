// Shows URLs and addresses of upstreams: without what may be secret, and each in one spelling.

import ipaddr from 'ipaddr.js';

/** Shows an upstream URL without what may be secret in it; what may be anything is shown as `…`. */
export function redactUpstreamUrl(value: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(value)?.[0] ?? '';
  const at = value.lastIndexOf('@');
  const rest = value.slice(at === -1 ? scheme.length : at + 1);
  // Shown only if it is a host for sure; in `host:port:user:pass` and the like a password may be anywhere.
  const isHost = /^(?:\[[0-9a-f:.]*\]|[\w.-]*)(?::\d{1,5})?\/?$/i.test(rest);
  // Behind local:// nobody has a password, and what can't be part of an address isn't shown either.
  const isLocal = /^local:/i.test(scheme) && at === -1 && /^[0-9a-f:.]*(?:%\w*)?(?:\/[\d.]*)?$/i.test(bare(rest));
  return `${scheme}${at === -1 ? '' : '***@'}${isHost || isLocal ? rest : '…'}`;
}

/** Writes an address in its one canonical form. */
export function canonical(address: string): string {
  return ipaddr.parse(address).toString();
}

function bare(rest: string): string {
  return rest.replace(/^\[(?<inner>[^[\]]*)\]/, '$<inner>');
}
