import { expect, it } from 'vitest';
import { csvLine } from '../../src/http/csv.ts';

it('writes no text that a spreadsheet runs as a formula, and numbers as they are', () => {
  expect(csvLine(['=1+1', '+1', '-1', '@x', '\tx', '|calc', '%A0', 'a=b'])).toBe(
    "'=1+1,'+1,'-1,'@x,'\tx,'|calc,'%A0,a=b\r\n",
  );
  expect(csvLine([-5.5, 1e300, true])).toBe('-5.5,1e+300,true\r\n');
});

it('quotes what would end a cell or a line', () => {
  expect(csvLine(['a,b', 'a"b', 'a\nb', '=HYPERLINK("x","y")', '\r=1'])).toBe(
    '"a,b","a""b","a\nb","\'=HYPERLINK(""x"",""y"")","\'\r=1"\r\n',
  );
});
