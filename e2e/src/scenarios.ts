/** A scenario that every event fulfils and that keeps no field, but for `fields`. */
export function scenario(id: number, fields: object = {}): object {
  return {
    scenario_id: id,
    title: `scenario ${id}`,
    manager: 'test',
    log_format: {},
    filters: [],
    logical_operator: 'AND',
    ...fields,
  }
}

/** Scenario 5: men above `age`, from nine o'clock on. */
export function menByDay(age = '20'): object {
  return scenario(5, {
    log_format: { e_n: 1, memberId: 1, h: 1 },
    filters: [
      { left: 'age', operator: '>', right: age },
      { left: 'gender', operator: '==', right: 'MALE' },
      { left: 'h', operator: '>=', right: '9' },
    ],
  })
}

/** What visitors of a round are judged by: their scenario's page, another one, their site. */
export function roundScenarios(age?: string): object[] {
  return [
    menByDay(age),
    scenario(6, { log_format: { '*': 1 } }),
    scenario(7, {
      site_id: 1,
      log_format: { e_n: 1 },
      filters: [{ left: 'e_n', operator: 'contains', right: '구매' }],
      logical_operator: 'OR',
    }),
  ]
}

/** The members of a round, as CSV. */
export const ROUND_MEMBERS = 'member_id,age,gender\n1,34,MALE\n2,19,MALE\n3,40,FEMALE\n'
