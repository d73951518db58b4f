/** DER identifiers. */
const SEQUENCE = 0x30;
const BOOLEAN = 0x01;
const INTEGER = 0x02;
const OCTET_STRING = 0x04;
const OBJECT_ID = 0x06;
const EXTENSIONS = 0xa3;
/** Contents of object identifiers, RFC 5280 §4.2.1. */
const BASIC_CONSTRAINTS = '551d13';
const NAME_CONSTRAINTS = '551d1e';
/** Basic constraints, key usage, extended key usage and subject alternative name, which Node looks at. */
const UNDERSTOOD: readonly string[] = [BASIC_CONSTRAINTS, '551d0f', '551d25', '551d11'];

interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

/**
 * What of a certificate Node does not tell: how many authorities may stand between it and a leaf, `Infinity` where it
 * does not say. `undefined` for one with name constraints, with anything critical beyond the extensions that Node
 * checks, with an extension twice, or that is no DER.
 *
 * @param der a certificate, X.509 version 3
 */
export function readLimits(der: Buffer): { readonly pathLength: number } | undefined {
  try {
    const [certificate] = elements(der, SEQUENCE);
    const [body] = elements(certificate!.content);
    const extensions = elements(body!.content).find(({ tag }) => tag === EXTENSIONS);
    let pathLength = Number.POSITIVE_INFINITY;
    if (extensions === undefined) return { pathLength };
    const seen = new Set<string>();
    const [list] = elements(extensions.content, SEQUENCE);
    for (const { content } of elements(list!.content, SEQUENCE)) {
      const [name, ...rest] = elements(content);
      const value = rest.at(-1);
      if (name?.tag !== OBJECT_ID || value?.tag !== OCTET_STRING) return undefined;
      const id = name.content.toString('hex');
      const critical = rest[0]!.tag === BOOLEAN && rest[0]!.content.some((byte) => byte !== 0);
      if (seen.has(id) || id === NAME_CONSTRAINTS || (critical && !UNDERSTOOD.includes(id))) return undefined;
      seen.add(id);
      if (id === BASIC_CONSTRAINTS) pathLength = pathLengthOf(value.content);
    }
    return { pathLength };
  } catch {
    return undefined;
  }
}

/** BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL } */
function pathLengthOf(der: Buffer): number {
  const [constraints] = elements(der, SEQUENCE);
  const length = elements(constraints!.content).find(({ tag }) => tag === INTEGER);
  return length === undefined
    ? Number.POSITIVE_INFINITY
    : length.content.readUIntBE(0, length.content.length);
}

/** Elements that fill the bytes exactly. @throws {RangeError} */
function elements(der: Buffer, only?: number): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < der.length; ) {
    const tag = der.readUInt8(at);
    let length = der.readUInt8(at + 1);
    at += 2;
    if (length >= 0x80) {
      const bytes = length - 0x80;
      length = der.readUIntBE(at, bytes);
      at += bytes;
    }
    if (at + length > der.length || (only !== undefined && tag !== only))
      throw new RangeError('this is not the DER of a certificate');
    found.push({ tag, content: der.subarray(at, at + length) });
    at += length;
  }
  return found;
}
