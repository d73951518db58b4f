/** A line of CSV (RFC 4180) with its end. Texts are quoted where needed, and never read as a formula. */
export function csvLine(cells: readonly (string | number | boolean)[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

/**
 * Spreadsheets run a text that begins with one of these as a formula, also inside quotes; behind an apostrophe it is
 * text (OWASP, CSV injection). Numbers are written as they are: a minus makes no formula of them.
 */
const FORMULA = /^[=+\-@\t\r\n|%＝＋－＠]/;

function csvCell(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
