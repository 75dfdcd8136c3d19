const PREFIX = "nginx.ingress.kubernetes.io/";
const UNITS: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** The `nginx.ingress.kubernetes.io/…` annotations of one Ingress, read as ingress-nginx reads them. */
export class Annotations {
  readonly #values: Record<string, string>;

  constructor(values: Record<string, string> = {}) {
    this.#values = values;
  }

  find(name: string): string | undefined {
    return this.#values[PREFIX + name]?.trim();
  }

  isTrue(name: string): boolean {
    return ["1", "t", "true"].includes(this.find(name)?.toLowerCase() ?? "");
  }

  /** A whole number above zero, or the default. */
  count(name: string, otherwise: number): number {
    const value = this.find(name) ?? "";
    return /^\d+$/.test(value) && Number(value) > 0 ? Number(value) : otherwise;
  }

  /** A size such as `8m` in bytes; `0` is no limit. */
  bytes(name: string, otherwise: number): number {
    const [, digits, unit] = /^(\d+)([kmg]?)b?$/i.exec(this.find(name) ?? "") ?? [];
    if (digits === undefined || unit === undefined) return otherwise;
    return Number(digits) === 0 ? Number.POSITIVE_INFINITY : Number(digits) * (UNITS[unit.toLowerCase()] ?? 1);
  }
}
