// Which of the two protocols a request speaks: that of Smart Proxy Manager, or that of its successor's proxy mode. What
// the fields of either say is not known here.

import { type ProtocolFields, protocolFieldsOf } from './protocol-fields.js';
import { SPM_PREFIX, ZYTE_PREFIX } from './header-names.js';
import type { RawHeaders } from './raw-headers.js';

/** `spm`: Smart Proxy Manager, `X-Crawlera-…`. `zyte`: Zyte API's proxy mode, `Zyte-…`. */
export type Dialect = 'spm' | 'zyte';

/**
 * Which protocol a request speaks, and so which its answer is to speak. `defaults` are the fields of the CONNECT that
 * it came through. A request with fields of both speaks `spm`, and its `Zyte-…` fields say nothing.
 */
export function dialectOf(headers: RawHeaders, defaults: RawHeaders = []): Dialect {
  return dialectOfFields(protocolFieldsOf(headers, defaults));
}

/** As `dialectOf`, of fields that were collected already. */
export function dialectOfFields(fields: ProtocolFields): Dialect {
  let isZyte = false;
  for (const name of fields.keys()) {
    if (name.startsWith(SPM_PREFIX)) return 'spm';
    isZyte ||= name.startsWith(ZYTE_PREFIX);
  }
  return isZyte ? 'zyte' : 'spm';
}
