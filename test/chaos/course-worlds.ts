import type { Course } from './course.ts';
import type { Way } from './plan.ts';
import { worldsOf } from './worlds.ts';

export function sourceOf({ way, number }: Course): string {
  return `${way.replace(' ', '-')}-${number}`;
}

/** One source per course, each with bytes of its own. */
export function courseWorlds(courses: readonly Course[]) {
  return worldsOf((way: Way) =>
    courses
      .filter((course) => course.way === way)
      .map((course) => ({
        name: sourceOf(course),
        template: way === 'template out',
        diskBytes: course.diskBytes,
        dataBytes: course.dataBytes,
        seed: 100_000 + course.number,
      })),
  );
}
