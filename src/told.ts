/** Who is told an answer where a promise for each would cost too much. Told one of the two, once; never throws. */
export interface Told<T> {
  answered(answer: T): void;
  failed(error: unknown): void;
}
