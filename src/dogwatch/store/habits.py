"""What timing was found to say of jobs, so that it is not looked up in every round."""

from collections.abc import Iterable

import sqlalchemy as sa

from dogwatch.pipelines.habits import Habit
from dogwatch.store import schema
from dogwatch.store.access import Access
from dogwatch.store.dialects import insert


class Habits(Access):
    """The part of the store that remembers habits. All of it may be repeated without harm."""

    def save_habits(self, habits: Iterable[Habit]) -> None:
        """Remember what was found of jobs; what was known of them is replaced."""
        rows = [
            {
                "downstream": habit.downstream,
                "looked_at": habit.looked_at,
                "body": habit.model_dump(mode="json"),
            }
            for habit in habits
        ]
        if not rows:
            return
        with self._write() as connection:
            statement = insert(connection, schema.habits)
            upsert = statement.on_conflict_do_update(
                index_elements=["downstream"],
                set_={"looked_at": statement.excluded.looked_at, "body": statement.excluded.body},
            )
            connection.execute(upsert, rows)

    def habits(self) -> dict[str, Habit]:
        """What is known, by the subject of the job that follows another."""
        with self._read() as connection:
            bodies = connection.execute(sa.select(schema.habits.c.body)).scalars()
            found = [Habit.model_validate(body) for body in bodies]
        return {habit.downstream: habit for habit in found}
