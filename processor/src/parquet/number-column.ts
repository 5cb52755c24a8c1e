/** The values of a column of whole numbers while a file is open: at most 2^53, NaN for null. */
export class NumberColumn {
  rows = 0
  nulls = 0
  values = new Float64Array(1024)

  /** Memory that the values need, bytes. What is kept of an earlier file is not in it. */
  get heldBytes(): number {
    return 8 * this.rows
  }

  /** Adds a whole number, or NaN for null. */
  add(value: number): void {
    if (this.rows === this.values.length) {
      const grown = new Float64Array(this.values.length * 2)
      grown.set(this.values)
      this.values = grown
    }
    if (Number.isNaN(value)) this.nulls++
    this.values[this.rows++] = value
  }

  /** Empty again; the memory is kept for the next file. */
  clear(): void {
    this.rows = 0
    this.nulls = 0
  }
}
