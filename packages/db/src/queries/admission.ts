import { type Kysely, sql, type Transaction } from "kysely";
import type { Database } from "../database.ts";
import { appendEvent } from "./events.ts";
import { findRunOfTeststack, TESTSTACK_CHANNEL } from "./teststacks.ts";

/** How many teststacks may be alive at once, and how many may wait for that. */
export interface AdmissionLimits {
  live: number;
  livePerUser: number;
  queued: number;
  queuedPerUser: number;
}

/** There is no room in the queue; nothing was written. */
export class QueueFullError extends Error {
  override readonly name = "QueueFullError";
  /** Whose part of the queue is full: the caller's own, or that of all. */
  readonly whose: "user" | "all";

  constructor(whose: "user" | "all") {
    super(`the queue of ${whose} is full`);
    this.whose = whose;
  }
}

/**
 * Gives the free places to those who wait, and wakes the reconciler for each: the users with the fewest live teststacks
 * first, and of each user's the oldest first. Safe to call at any time, by any replica.
 *
 * @returns how many got one
 */
export async function admitTeststacks(db: Kysely<Database>, limits: AdmissionLimits): Promise<number> {
  return db.transaction().execute(async (trx) => {
    await lockAdmission(trx);
    return (await admit(trx, limits)).length;
  });
}

/**
 * Lets a new teststack in, or tells its run's user which place in the queue it has. For the end of the transaction that
 * creates it: whoever creates another one waits meanwhile.
 *
 * @throws {QueueFullError}
 */
export async function admitOrQueue(
  trx: Transaction<Database>,
  teststack: { id: string; userId: string },
  limits: AdmissionLimits,
): Promise<void> {
  await lockAdmission(trx);
  const admitted = await admit(trx, limits);
  if (admitted.includes(teststack.id)) return;
  const queue = await listQueue(trx, limits);
  if (queue.length > limits.queued) throw new QueueFullError("all");
  if (queue.filter(({ user_id }) => user_id === teststack.userId).length > limits.queuedPerUser) {
    throw new QueueFullError("user");
  }
  const own = queue.find(({ id }) => id === teststack.id);
  if (own !== undefined) await tellPlace(trx, own, await measureLives(trx));
}

/** Tells those who wait of their place in the queue, where it has changed so that it is worth telling. */
export async function tellQueue(db: Kysely<Database>, limits: AdmissionLimits): Promise<void> {
  const queue = await listQueue(db, limits);
  const news = queue.filter(isNews);
  if (news.length === 0) return;
  const lives = await measureLives(db);
  for (const queued of news) await db.transaction().execute((trx) => tellPlace(trx, queued, lives));
}

export async function countQueue(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from teststack where phase = 'requested' and admitted_at is null
  `.execute(db);
  return rows[0]?.count ?? 0;
}

async function lockAdmission(trx: Transaction<Database>): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('cactus admission', 0))`.execute(trx);
}

/** Those who wait; `turn` is how many live ones the user would have once it is let in, were it let in after the user's older ones. */
const QUEUE = sql`
  live as (
    select user_id, count(*)::int as count from teststack
    where phase <> 'gone' and admitted_at is not null group by user_id
  ), queue as (
    select teststack.id, user_id, created_at, queue_place, queue_told_at, coalesce(live.count, 0)::int as user_live,
      coalesce(live.count, 0) + row_number() over (partition by user_id order by created_at, teststack.id) as turn
    from teststack left join live using (user_id)
    where phase = 'requested' and admitted_at is null
  )
`;

async function admit(trx: Transaction<Database>, limits: AdmissionLimits): Promise<string[]> {
  const { rows } = await sql<{ id: string; was_told: boolean }>`
    with ${QUEUE}, admitted as (
      update teststack set admitted_at = now(), queue_place = null, next_attempt_at = now()
      where id in (
        select id from queue where turn <= ${limits.livePerUser} order by turn, created_at, id
        limit greatest(0, ${limits.live} - (select coalesce(sum(count), 0) from live))
      )
      returning id, queue_told_at is not null as was_told
    )
    select id, was_told, pg_notify(${TESTSTACK_CHANNEL}, id::text) from admitted
  `.execute(trx);
  for (const { id, was_told } of rows) {
    if (!was_told) continue;
    const message = "A place is free: the instance is made now.";
    await tellRunOf(trx, id, { kind: "admitted", message });
  }
  return rows.map(({ id }) => id);
}

interface Queued {
  id: string;
  user_id: string;
  /** From 1: among the user's own where the user's limit holds it up, else among all. */
  place: number;
  held_up_by: "user" | "all";
  /** Live ones among which a place has to become free. */
  live: number;
  queue_place: number | null;
  told_seconds_ago: number | null;
}

async function listQueue(db: Kysely<Database>, limits: AdmissionLimits): Promise<Queued[]> {
  const { rows } = await sql<Queued>`
    with ${QUEUE}
    select id, user_id, queue_place, extract(epoch from now() - queue_told_at)::float as told_seconds_ago,
      case when user_live >= ${limits.livePerUser} then 'user' else 'all' end as held_up_by,
      case when user_live >= ${limits.livePerUser} then user_live
        else (select coalesce(sum(count), 0)::int from live) end as live,
      case when user_live >= ${limits.livePerUser} then (turn - user_live)::int
        else row_number() over (order by turn > ${limits.livePerUser}, turn, created_at, id)::int end as place
    from queue
  `.execute(db);
  return rows;
}

/** Whoever waits hears of its place no more often than this. */
const TELL_AGAIN_SECONDS = 5;
/** Each step of the last places is told; before, each tenth of the way. */
const NEAR_PLACE = 10;

function isNews({ place, queue_place, told_seconds_ago }: Queued): boolean {
  if (queue_place === null || told_seconds_ago === null) return true;
  if (place === queue_place || told_seconds_ago < TELL_AGAIN_SECONDS) return false;
  return place <= NEAR_PLACE || Math.abs(place - queue_place) >= queue_place / 10;
}

/** What the teststacks that ended last have taken, seconds; null when there was none yet. */
interface Lives {
  life: number | null;
  /** From the admission until the test was initialised. */
  spawn: number | null;
}

async function measureLives(db: Kysely<Database>): Promise<Lives> {
  const { rows } = await sql<Lives>`
    select avg(extract(epoch from gone_at - admitted_at))::float as life,
      avg(extract(epoch from initialised_at - admitted_at))::float as spawn
    from (
      select teststack.gone_at, admitted_at, run.initialised_at
      from teststack join run on run.teststack_id = teststack.id
      where phase = 'gone' and admitted_at is not null
      order by teststack.gone_at desc limit 50
    ) as ended
  `.execute(db);
  return rows[0] ?? { life: null, spawn: null };
}

async function tellPlace(trx: Transaction<Database>, queued: Queued, lives: Lives): Promise<void> {
  const { id, place, held_up_by, live } = queued;
  const told = await trx
    .updateTable("teststack")
    .set({ queue_place: place, queue_told_at: sql<Date>`now()` })
    .where("id", "=", id)
    .where("phase", "=", "requested")
    .where("admitted_at", "is", null)
    .returning("id")
    .executeTakeFirst();
  if (told === undefined) return;
  const estimatedSeconds =
    lives.life === null ? null : Math.ceil((place * lives.life) / Math.max(1, live) + (lives.spawn ?? 0));
  const why =
    held_up_by === "user" ? `You have ${live} live instances, as many as one user may have` : "All places are taken";
  const when = estimatedSeconds === null ? "" : `, about ${describeSeconds(estimatedSeconds)} until the test is ready`;
  await tellRunOf(trx, id, {
    kind: "queued",
    message: `${why}: number ${place} in the queue${when}.`,
    detail: { place, heldUpBy: held_up_by, estimatedSeconds },
  });
}

function describeSeconds(seconds: number): string {
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

async function tellRunOf(
  trx: Transaction<Database>,
  teststackId: string,
  event: { kind: string; message: string; detail?: Record<string, unknown> },
): Promise<void> {
  const run = await findRunOfTeststack(trx, teststackId);
  if (run !== undefined) await appendEvent(trx, { ...event, runId: run.id });
}
