import { z } from 'zod';

const MAX_PAGE = 1_000_000;

/** `page` and `page_size` of a list. Spread into the strict object of a route's query. */
export const pageFields = {
  page: z.coerce.number().int().min(1).max(MAX_PAGE).default(1).meta({ description: 'From 1.', example: 1 }),
  page_size: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(20)
    .meta({ description: 'The most items on a page.', example: 20 }),
};
/** The query of a list without filters. */
export const PageQuery = z.strictObject(pageFields);
export type PageQuery = z.infer<typeof PageQuery>;

/** A list's answer. */
export interface Page<T> {
  data: T[];
  page: number;
  page_size: number;
  total: number;
}

/** The schema of a list's answer. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.strictObject({
    data: z.array(item).meta({ description: 'The items of this page.' }),
    page: z.int().positive().meta({ description: 'This page, from 1.', example: 1 }),
    page_size: z.int().positive().meta({ description: 'The most items on a page.', example: 20 }),
    total: z.int().min(0).meta({ description: 'Items on all pages.', example: 1 }),
  });
}

const MAX_INT = 999_999_999;
const after = z.coerce
  .number()
  .int()
  .min(0)
  .max(MAX_INT)
  .default(0)
  .meta({ description: 'Begins after this one: the `next` of the previous answer.', example: 0 });

/** The `after` of a list whose ids are bigints. */
export const afterField = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).meta({
  description: 'Begins after this one: the `next` of the previous answer.',
  example: 0,
});

/** The query of a list that is read slice by slice. */
export const sliceQuery = z.strictObject({
  after,
  limit: z.coerce.number().int().min(1).max(1_000).default(100).meta({ description: 'The most items.', example: 100 }),
});
/** The query of a CSV export: everything unless told otherwise. */
export const exportQuery = z.strictObject({
  after,
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_INT)
    .default(MAX_INT)
    .meta({ description: 'The most rows; all without it.', example: 100 }),
});
export type Slice = z.output<typeof sliceQuery>;

/** The schema of the `after` that an answer names. */
export const nextField = z
  .int()
  .nullable()
  .meta({ description: 'The `after` of the next call; null at the end.', example: null });

/** Some rows, and the `after` that brings the next ones. */
export interface SliceOf<T> {
  data: T[];
  next: number | null;
}

/** The slice of `found`, for which `limit + 1` rows were asked: the extra row tells whether there is a next slice. */
export function sliceOf<T>(found: T[], limit: number, placeOf: (row: T) => number): SliceOf<T> {
  const data = found.slice(0, limit);
  const last = data.at(-1);
  return { data, next: found.length > limit && last !== undefined ? placeOf(last) : null };
}
