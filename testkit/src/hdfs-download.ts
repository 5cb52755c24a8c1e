import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Copies all files below `root` of an HDFS into a local folder, by plain WebHDFS requests: nothing of ours stands between a
 * test and what is really stored. Names that begin with `_` are left out, as every reader does.
 */
export async function downloadHdfs(nameNodeUrl: string, root: string, into: string): Promise<number> {
  const address = (path: string, query: string) =>
    `${nameNodeUrl}/webhdfs/v1${path.split('/').map(encodeURIComponent).join('/')}?user.name=headwater&${query}`
  const answer = await fetch(address(root, 'op=LISTSTATUS'))
  if (answer.status === 404) return 0
  if (!answer.ok) throw new Error(`LISTSTATUS ${root}: ${answer.status} ${await answer.text()}`)
  const { FileStatuses } = (await answer.json()) as {
    FileStatuses: { FileStatus: { pathSuffix: string; type: 'FILE' | 'DIRECTORY' }[] }
  }
  await mkdir(into, { recursive: true })
  let files = 0
  for (const { pathSuffix, type } of FileStatuses.FileStatus) {
    if (pathSuffix.startsWith('_')) continue
    const path = `${root}/${pathSuffix}`
    if (type === 'DIRECTORY') files += await downloadHdfs(nameNodeUrl, path, join(into, pathSuffix))
    else {
      const content = await fetch(address(path, 'op=OPEN'))
      if (!content.ok) throw new Error(`OPEN ${path}: ${content.status} ${await content.text()}`)
      await writeFile(join(into, pathSuffix), Buffer.from(await content.arrayBuffer()))
      files++
    }
  }
  return files
}
