"""Where two tables differ is said by row and column, and never by what is in the cells."""

from __future__ import annotations

import numpy as np
import pandas as pd

from churnlib.proof.cells import difference


def table(rows: int = 4) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "plan": ["basic", None, "plus", "basic"][:rows],
            "plan_price": [9.5, float("nan"), 14.25, 9.5][:rows],
            "tickets": [1, 2, 3, 4][:rows],
        }
    )


def changed(row: int, **cells: object) -> pd.DataFrame:
    other = table().astype(dict.fromkeys(cells, object))
    for name, value in cells.items():
        other.loc[row, str(name)] = value  # type: ignore[call-overload]
    return other.astype({name: table()[name].dtype for name in cells})


def test_one_cell_of_the_last_row_is_named() -> None:
    found = difference(table(), changed(3, plan_price=77.25))
    assert found.text == "last row (4), column plan_price: 1 cell"
    assert (found.rows, found.first_row, found.columns) == (1, 4, {"plan_price": 1})


def test_several_cells_are_counted_from_the_first_row_on() -> None:
    other = changed(1, plan="gold", tickets=0)
    other.loc[2, "tickets"] = 0
    found = difference(table(), other)
    assert found.text == "2 rows, the first is row 2, columns plan, tickets: 3 cells"


def test_a_cell_in_the_middle_is_named_by_its_row() -> None:
    assert difference(table(), changed(0, tickets=9)).text == "row 1, column tickets: 1 cell"


def test_empty_cells_are_equal_to_each_other_and_to_nothing_else() -> None:
    assert difference(table(), table()).columns == {}
    assert difference(table(), changed(1, plan_price=0.0)).columns == {"plan_price": 1}
    assert difference(table(), changed(0, plan=None)).columns == {"plan": 1}


def test_numbers_differ_when_their_bits_do() -> None:
    zero, minus = pd.DataFrame({"x": [0.0]}), pd.DataFrame({"x": [-0.0]})
    assert difference(zero, minus).columns == {"x": 1}
    almost = changed(0, plan_price=np.nextafter(9.5, 10))
    assert difference(table(), almost).columns == {"plan_price": 1}


def test_rows_that_are_lost_are_counted_and_the_others_compared() -> None:
    assert difference(table(), table(3)).text == "4 rows recorded, 3 found"
    found = difference(table(), changed(2, tickets=9).iloc[:3])
    assert found.text == "4 rows recorded, 3 found; row 3, column tickets: 1 cell"


def test_columns_that_are_lost_new_or_of_another_type_are_named() -> None:
    other = table().drop(columns="plan").assign(extra=1).astype({"tickets": float})
    found = difference(table(), other)
    assert found.text == "column plan missing; column extra new; column tickets of another type"
    assert (found.lost, found.added, found.retyped) == (("plan",), ("extra",), ("tickets",))


def test_another_order_of_columns_is_said() -> None:
    assert "another order" in difference(table(), table()[["tickets", "plan", "plan_price"]]).text


def test_many_columns_are_shortened() -> None:
    wide = pd.DataFrame({f"c{number}": [0] for number in range(7)})
    text = difference(wide, wide + 1).text
    assert text == "last row (1), columns c0, c1, c2, c3, c4 and 2 more: 7 cells"


def test_booleans_dates_and_categories_are_compared_too() -> None:
    one = pd.DataFrame(
        {
            "flag": pd.array([True, None], dtype="boolean"),
            "day": pd.to_datetime(pd.Series(["2026-01-01", None])),
            "kind": pd.Categorical(["a", None]),
        }
    )
    other = one.assign(
        flag=pd.array([False, None], dtype="boolean"), day=pd.to_datetime(pd.Series(["2026-01-02", None]))
    )
    assert difference(one, one.copy()).columns == {}
    assert difference(one, other).columns == {"flag": 1, "day": 1}


def test_G_no_value_of_a_cell_is_ever_said() -> None:
    secret = changed(2, plan="MARTINA", plan_price=77.25, tickets=4711)
    text = difference(table(), secret).text
    assert not any(value in text for value in ("MARTINA", "77.25", "4711", "14.25", "plus"))
