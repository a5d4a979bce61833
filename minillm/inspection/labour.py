"""Occupations and the share of women in them: U.S. Bureau of Labor Statistics, Current Population
Survey, table 11, annual averages of 2017, in per cent, as printed in Zhao et al. 2018 (WinoBias),
arXiv:1804.06876, table 1. Occupations of two words and of more than one meaning ("chief", "mover",
"sewer", "attendant", "assistant") are left out.
"""

WOMEN = {
    "carpenter": 2, "laborer": 4, "driver": 6, "sheriff": 14, "developer": 20, "farmer": 22,
    "guard": 22, "janitor": 34, "lawyer": 35, "cook": 38, "physician": 38, "CEO": 39,
    "analyst": 41, "manager": 43, "supervisor": 44, "salesperson": 48, "editor": 52,
    "designer": 54, "accountant": 61, "auditor": 61, "writer": 63, "baker": 65, "clerk": 72,
    "cashier": 73, "counselor": 73, "teacher": 78, "librarian": 84, "cleaner": 89,
    "housekeeper": 89, "nurse": 90, "receptionist": 90, "hairdresser": 92, "secretary": 95,
}
