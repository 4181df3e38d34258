"""The paper's four result tables, as printed: numbers to set beside this project's own.

Han, Yang, Wu, Xing, Wu: Learning Generator Networks for Dynamic Patterns, WACV 2019, section 4.2.
Every table is table[row][method][column]: ``TABLE1["consecutive"]["ABP"]["flag"]``. All are mean
absolute errors on the scale [-1, 1], over the hidden pixels (Tables 1 to 3) or over the missing
modality (Table 4). Masks are named as in `abplib.masks.named`.

`MISPRINTS` lists what is very likely not meant as printed; the tables hold what is printed.
"""

from __future__ import annotations

Table = dict[str, dict[str, dict[str, float]]]


def _table(columns: str, text: str) -> Table:
    """Rows "row | method | numbers" as a nested dict."""
    table: Table = {}
    for line in text.strip().splitlines():
        row, method, numbers = (part.strip() for part in line.split("|"))
        values = [float(number) for number in numbers.split()]
        table.setdefault(row, {})[method] = dict(zip(columns.split(), values, strict=True))
    return table


TABLE1: Table = _table(
    "flag waterfall waterstone light elevator",
    """
    consecutive | LHD | 0.1359 0.2720 0.1899 0.0728 0.1043
    consecutive | ABP | 0.0392 0.2558 0.1321 0.0725 0.0768
    random      | LHD | 0.1111 0.2666 0.1717 0.0586 0.0735
    random      | ABP | 0.0300 0.2393 0.1251 0.0400 0.0463
    """,
)
"""Interpolation errors: Model-2 learned from one sequence with missing frames.

>>> TABLE1["random"]["LHD"]["elevator"]
0.0735
"""

TABLE2: Table = _table(
    "flag elevator grid windmill flower traffic",
    """
    M0.5 | 3D GAN | 0.3385 0.1679 0.3696 0.2151 0.1084 0.1697
    M0.5 | 3D VAE | 0.1603 0.0485 0.2516 0.1170 0.0624 0.0943
    M0.5 | 3D WS  | 0.2074 0.1345 0.2526 0.1341 0.0750 0.1142
    M0.5 | 3D ABP | 0.1370 0.0457 0.2106 0.1157 0.0662 0.0903
    M0.5 | LI-ABP | 0.1179 0.0456 0.1996 0.1143 0.0598 0.0898
    P20  | 3D GAN | 0.3380 0.1796 0.3542 0.2483 0.1160 0.1780
    P20  | 3D VAE | 0.1511 0.0591 0.1981 0.1643 0.0686 0.1037
    P20  | 3D WS  | 0.2003 0.1109 0.2221 0.1869 0.0783 0.1275
    P20  | 3D ABP | 0.1459 0.0562 0.2044 0.1621 0.0733 0.1001
    P20  | LI-ABP | 0.1286 0.0553 0.1914 0.1585 0.0655 0.0993
    B35  | 3D GAN | 0.3382 0.1803 0.4505 0.2626 0.1208 0.1740
    B35  | 3D VAE | 0.1801 0.0591 0.2082 0.1851 0.0752 0.1012
    B35  | 3D WS  | 0.2905 0.1060 0.2339 0.2462 0.0932 0.1237
    B35  | 3D ABP | 0.1778 0.0577 0.2159 0.1779 0.0831 0.0991
    B35  | LI-ABP | 0.1583 0.0570 0.2000 0.1758 0.0728 0.0965
    """,
)
"""Recovery errors of occluded testing videos, after learning from complete ones.

>>> TABLE2["B35"]["LI-ABP"]["flag"]
0.1583
"""

TABLE3: Table = _table(
    "elevator windmill flag1 flamingo flag2",
    """
    M0.5      | 3D VAE | 0.0421 0.0442 0.0296 0.0478 0.0775
    M0.5      | 3D WS  | 0.0423 0.0451 0.0300 0.0483 0.0787
    M0.5      | 3D ABP | 0.0415 0.0412 0.0283 0.0471 0.0772
    M0.5      | LI-ABP | 0.0410 0.0418 0.0279 0.0467 0.0739
    P20       | 3D VAE | 0.0422 0.0464 0.0375 0.0467 0.9746
    P20       | 3D WS  | 0.0422 0.0479 0.0397 0.0457 0.0955
    P20       | 3D ABP | 0.0415 0.0439 0.0363 0.0441 0.0947
    P20       | LI-ABP | 0.0416 0.0434 0.0369 0.0441 0.0927
    B25x25x15 | 3D VAE | 0.0525 0.0773 0.0400 0.0603 0.1601
    B25x25x15 | 3D WS  | 0.0487 0.0758 0.0384 0.0606 0.1591
    B25x25x15 | 3D ABP | 0.0476 0.0769 0.0389 0.0589 0.1592
    B25x25x15 | LI-ABP | 0.0463 0.0751 0.0370 0.0589 0.1582
    """,
)
"""Recovery errors of incomplete training videos, completed while the model is learned.

>>> TABLE3["P20"]["3D VAE"]["flag2"]  # as printed; see MISPRINTS
0.9746
"""

TABLE4: Table = _table(
    "Excuse Goodbye Hello How Nice Seeyou Sorry Thank Time Welcome",
    """
    V->A | CCA | 0.1779 0.1828 0.1878 0.1894 0.1870 0.1889 0.1943 0.1842 0.1818 0.1821
    V->A | ABP | 0.0179 0.0243 0.0199 0.0379 0.0210 0.0184 0.0306 0.0164 0.0301 0.0348
    A->V | CCA | 0.4269 0.4468 0.4326 0.6225 0.4549 0.4811 0.5945 0.4472 0.6044 0.5892
    A->V | ABP | 0.1771 0.1860 0.1758 0.1735 0.1791 0.1747 0.1788 0.1713 0.1846 0.1743
    """,
)
"""Prediction errors of the missing modality: sound from picture (V->A), picture from sound.

>>> TABLE4["V->A"]["ABP"]["Hello"]
0.0199
"""

MISPRINTS: dict[tuple[str, str, str, str], str] = {
    ("TABLE3", "P20", "3D VAE", "flag2"): "0.9746 is ten times its neighbours; likely 0.0974",
}
"""(table, row, method, column) -> what is likely wrong with the printed number."""


def mean(table: Table, row: str, method: str) -> float:
    """Mean over the columns of one printed row, as printed.

    >>> round(mean(TABLE1, "consecutive", "ABP"), 4)
    0.1153
    """
    values = table[row][method].values()
    return sum(values) / len(values)
