import { ProblemError } from '@ares/protocol';

/** The commonest passwords that are long enough to pass otherwise, without case, digits for letters, and signs. */
const COMMON = new Set(
  (
    '0123456789 1029384756 1111111111 11223344556 1122334455 123123123123 1234512345 1234567890 12345678900 ' +
    '12345678910 1234567891 123456789a 123456789q 1234567899 123456123456 12345qwert 123qweasdzxc 147258369 ' +
    '1472583690 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc 1qazxsw23edc 2222222222 5555555555 6666666666 7777777777 ' +
    '9876543210 9999999999 0987654321 0000000000 abcd123456 abcdefghij administrator adminadmin admin12345 ' +
    'admin123456 aaaaaaaaaa asdfasdfasdf asdfghjkl1 asdfghjkl123 basketball butterfly1 changeme123 chocolate1 ' +
    'computer123 football123 greenhouse greenhouse1 iloveyou12 iloveyou123 letmein123 letmeinplease liverpool1 ' +
    'manchester master1234 mustang123 password01 password1 password12 password123 password1234 password12345 ' +
    'passwordpassword p@ssw0rd123 passw0rd123 princess123 q1w2e3r4t5 q1w2e3r4t5y6 qazwsxedcrfv qweasdzxc123 ' +
    'qwerty1234 qwerty12345 qwerty123456 qwertyqwerty qwertyuiop qwertyuiop123 raspberry1 raspberrypi ' +
    'secret1234 sunshine123 superman123 test123456 testtest123 trustno1234 welcome123 welcome1234 zaq12wsxcde3 ' +
    'zxcvbnm123 zxcvbnmasd'
  ).split(' '),
);

/** Whether many people have this very password. */
function isCommon(password: string): boolean {
  const plain = password.normalize('NFKC').toLowerCase().trim();
  return COMMON.has(plain) || new Set(plain).size === 1;
}

/**
 * What a password must not be; its length is in the contract.
 * @param email the address of its account
 * @throws {ProblemError} INVALID_REQUEST
 */
export function assertGoodPassword(password: string, email: string, path = 'password'): void {
  const plain = password.toLowerCase();
  const message = isCommon(password)
    ? 'is one of the commonest passwords; choose another'
    : plain === email || plain === email.split('@')[0]
      ? 'is your e-mail address; choose another'
      : undefined;
  if (message === undefined) return;
  throw new ProblemError('INVALID_REQUEST', `The ${path} ${message}.`, { issues: [{ path, message }] });
}
