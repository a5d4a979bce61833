"""The stories of Vekari: a small language that nobody speaks, invented for this course.

It is written in Georgian letters, three bytes each in UTF-8, but it is not Georgian. Its tables
have the form of `storyworld_words.py`; here they are written in Latin letters, one for each
Georgian one, so that you can read them. The verb comes last, and words change as in many real languages:

- case: a suffix says what a noun does in the sentence (-an what is acted on, -ra to whom, -da
  where, -ban from where, -lam with what, -su whose);
- vowel harmony: a suffix has a or u after a last vowel a, o, u of its stem, and e or i after e, i;
  its first vowel goes where the stem ends in one (mako-n, tel-en);
- agreement: every thing and animal is of one of four classes, and the adjectives and verbs that
  belong to it begin with the sign of its class (ki-, mo-, sa-, tu-).

So one noun of the stories has up to ten forms, and the sign at a verb can be known from a noun that
was named sentences before.
"""

LATIN = "abgdevziklmnoprstufqxhjcyw"
GEORGIAN = "აბგდევზიკლმნოპრსტუფქხჰჯცჲჳ"
SCRIPT = str.maketrans(LATIN, GEORGIAN)
CASES = {"obj": "an", "to": "ra", "in": "da", "from": "ban", "with": "lam", "of": "su"}


def georgian(text: str) -> str:
    """The text in Georgian letters, except what stands in {} or []."""
    outside, kept = True, []
    for letter in text:
        outside = outside and letter not in "{["
        kept.append(letter.translate(SCRIPT) if outside else letter)
        outside = outside or letter in "}]"
    return "".join(kept)


def suffixed(stem: str, suffix: str) -> str:
    """Stem and suffix by the rules of Vekari: "mako", "an" -> "makon"; "tel", "an" -> "telen"."""
    last = next(letter for letter in reversed(stem) if letter in "aeiou")
    if last in "ei":
        suffix = suffix.translate(str.maketrans("au", "ei"))
    return stem + (suffix[1:] if stem[-1] in "aeiou" and suffix[0] in "aeiou" else suffix)


def noun(fact, stem, sign=""):
    """The forms of a noun: {"thing": its stem, "thing_obj": ..., "thing_sign": of its class}."""
    forms = {fact: stem} | {f"{fact}_{case}": suffixed(stem, end) for case, end in CASES.items()}
    return {form: georgian(text) for form, text in (forms | {f"{fact}_sign": sign}).items()}


def nouns(fact, **classes):
    """The values of a fact: `classes` are the stems of each class, by its sign."""
    return [noun(fact, stem, sign) for sign, stems in classes.items() for stem in stems.split()]


def words(stems: str, suffix: str = "") -> str:
    """A list for WORDS, each stem with a suffix."""
    return georgian("|".join(suffixed(stem, suffix) if suffix else stem for stem in stems.split()))


NAMES = """amara bjorn cidi elif farid julia hana ibrahim keiko leilani mateo nadia omar prija rosa
    soren tarik viktor zola karmen""".split()

VARIABLES = {
    "hero": [noun("hero", name) for name in NAMES],
    "friend": [noun("friend", name) for name in NAMES],
    "thing": nouns("thing", ki="vel zorin lutek pirel", mo="mako gudor tova balum",
                   sa="tel nirek sofe dilim", tu="hakor runo lumat jovu"),
    "place": nouns("place", ki="meren bodul", mo="xarat sikel", sa="turova nefik",
                   tu="galom pesti"),
    "beast": nouns("beast", ki="fonet rukal", mo="vimi sagor", sa="kuzo leper", tu="danik bolan"),
    "gift": nouns("gift", ki="seler numok", mo="tikel horun", sa="jaro midel", tu="pokal ruven"),
}
RULES = {"friend": (("hero",), lambda hero, friend: friend != hero)}

WORDS = {
    "trait": words("lorin tagul nemek huvar silot kerim dovan pelik raxon zimer fulan gelit"),
    "look": words("bokar telim surov nidek karul vesin moxar hilek jutan felis"),
    "hue": words("rezin talok fumar xelit gorun lives"),
    "time": words("rimel sotar katun veles", "da"),
    "manner": words("toriba lemike susano viniri hakuto gelise borano pitire"),
    "went": words("lor nesi taku zev hurom givi", "du"),
    "said": words("sen varo limi kusa telek moru", "du"),
    "sought": words("bak hile rotu senim", "du"),
    "took": words("kad nelis moro tive", "du"),
    "shone": words("lumi zator veli pudan heris goma", "du"),
    "kin": words("dado meni susu teiri bavo lelik"),
    "dish": words("parok linze kumat hefel rosun tivil", "an"),
    "pet": words("gufo nimel tarus kelen"),
    "wind": words("sarun fivel jomo helik tukar"),
}

COMMON = ("hero", "place")
PLOTS = {
    "lost": (("friend", "thing"), "opening owned", "loss search asked", "found ending"),
    "beast": (("beast", "friend"), "opening met", "hungry fed told", "stayed ending"),
    "gift": (("friend", "gift"), "opening birthday", "made carried given", "thanks ending"),
}

STEPS = {
    # The hero, and the place where the story happens.
    "opening": """
- ula {place_in} [trait] {hero} nadu.
- [time] {hero}, [kin] [trait], {place_in} lemedi.
- ba {place_sign}[look] {place_in} {hero} [manner] lemedi.
""",
    # The hero owns a thing and loves it; adjective and verb agree with the thing.
    "owned": """
- {hero_of} {thing} {thing_sign}[look] {thing_sign}nadu, i {thing_sign}[shone].
- {hero} {thing_sign}[look] {thing_obj} [kin] {thing_sign}[took].
- teke {thing_sign}[hue] {thing_sign}[look] {thing} {hero_ra} {thing_sign}nadu.
""",
    "loss": """
- [time] {thing} {place_in} {thing_sign}vanedu.
- sarku [wind] {thing_obj} {place_from} {thing_sign}[took].
- ma [pet] {thing_obj} {thing_sign}[took], i {place_from} [went].
""",
    "search": """
- {hero} {thing_obj} [manner] {thing_sign}[sought].
- [time] {hero}, [trait], {place_from} [went], i {thing_obj} {thing_sign}[sought].
""",
    "asked": """
- "he, {friend}, {thing_obj} {thing_sign}virim?" {hero} [manner] [said].
- {hero} {friend_ra} [said]: "{thing} ni {thing_sign}[look]!"
""",
    "found": """
- {friend} {thing_obj} {place_in} {thing_sign}tamodu, i {hero_ra} {thing_sign}[took].
- {friend_lam} {hero} {thing_obj} [manner] {thing_sign}tamodu; {thing} {thing_sign}[shone].
""",
    # A beast, and a friend who helps.
    "met": """
- {place_in} {beast} {beast_sign}[look] {hero_ra} {beast_sign}[went].
- [time] {hero} {beast_obj} {beast_sign}[hue] {beast_sign}tamodu.
""",
    "hungry": """
- {beast} [manner] {beast_sign}[said]: "ni [dish] soro!"
- oi, {beast} {beast_sign}[look] {beast_sign}nadu, i [dish] {beast_sign}[sought].
""",
    "fed": """
- {hero} {beast_ra} [dish] [took], i {beast} {beast_sign}[shone].
- {hero}, [trait], {beast_lam} {place_from} [went], i [dish] [took].
""",
    "told": """
- {friend} {beast_obj} {beast_sign}virdu, i {hero_ra} [manner] [said]: "{beast} {beast_sign}[look]!"
- {hero} {friend_ra} {beast_obj} {beast_sign}[hue] {beast_sign}lirdu.
""",
    "stayed": """
- {beast} {hero_lam} {place_in} {beast_sign}lemedi.
- {friend_of} [pet] {beast_lam} [manner] [went], i {beast} {beast_sign}[shone].
""",
    # A present for the friend.
    "birthday": """
- [time] {friend_of} dagul nadu, i {hero} [manner] [said].
- {hero_of} [kin] [said]: "{friend} [trait] na, dagul!"
""",
    "made": """
- {hero} {gift_sign}[hue] {gift_obj} {place_in} {gift_sign}harodu.
- {place_of} [kin] {hero_ra} {gift_obj} {gift_sign}[look] {gift_sign}[took].
""",
    "carried": """
- sarku [wind] nadu, i {hero} {gift_lam} {place_from} [went].
- {gift} {gift_sign}[look] {gift_sign}nadu; {hero} [manner] [went].
""",
    "given": """
- {hero} {friend_ra} {gift_obj} {gift_sign}[took].
- "{friend}, {gift} ti," {hero} [said], i {gift} {gift_sign}[shone].
""",
    "thanks": """
- {friend} {gift_lam} [manner] [went], i {hero_ra} [said]: "{gift} {gift_sign}[look]!"
- {friend}, [trait], {gift_obj} {gift_sign}[hue] {gift_sign}[took].
""",
    "ending": """
- i {hero} i {friend} [dish] [manner] [took].
- {friend_lam} {hero} {place_in} [time] lemedi, i [wind] [went].
- ula {hero} [trait] nadu, i {friend} [trait].
""",
}
STEPS = {step: georgian(text.replace("_ra}", "_to}").replace("_lam}", "_with}"))
         for step, text in STEPS.items()}
