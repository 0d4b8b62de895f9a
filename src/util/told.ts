/** Who is told an answer where a promise for each would cost too much. Told one of the two, once; never throws. */
export interface Told<T> {
  /** It is this. */
  answered(answer: T): void;
  /** It broke. */
  failed(error: unknown): void;
}
