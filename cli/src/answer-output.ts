/**
 * For a command whose answer is what it prints. Ends the process quietly when nobody reads on (`| head` has enough), and with a
 * sentence and status 1 when the answer cannot be written: `console.log` says nothing of a full disk.
 */
export function endWithOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    console.error(`The answer could not be written. Found: ${error.message}.`)
    process.exit(1)
  })
}
