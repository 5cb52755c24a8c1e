import { join } from 'node:path'
import { readStateFile } from '@headwater/processor'
import type { DataFolder } from '../data-folder.ts'

/** Up to where a reader of the logs between the stages has said that it is done. Rejects when its file cannot be read. */
export function committedPosition(folder: DataFolder, group: string): Promise<number | undefined> {
  return readStateFile(join(folder.state, 'positions', `${group}.json`), {
    remedy: 'It is only a hint: delete it and start again.',
    parse: ({ positions }) => (positions as Record<string, number>)['0'],
  })
}
