// The results in the document: a section of it is replaced, and the rest stays as it is. Pure.

import { formatReport, type Report } from './report.js';

const HEADING = '### Last comparison';

/**
 * Puts a run in the place of the one before.
 *
 * @throws Error for a document without that section
 */
export function withLastRun(document: string, report: Report): string {
  const start = document.indexOf(`${HEADING}\n`);
  if (start === -1) throw new Error(`The document has no section "${HEADING}"`);
  const next = document.slice(start + HEADING.length).search(/\n#+ /);
  const rest = next === -1 ? '' : document.slice(start + HEADING.length + next);
  return `${document.slice(0, start)}${HEADING}\n\n\`\`\`\n${formatReport(report)}\`\`\`\n${rest}`;
}
