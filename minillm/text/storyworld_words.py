"""The grammar of the story world, as data: names and words, the plots, and the sentences that tell them.

- `VARIABLES`: the facts of a story. Each is drawn once, uniformly unless `RULES` says otherwise, and then
  repeated wherever a sentence asks for it. A value is a word, or a dictionary of its forms.
- `WORDS`: lists from which a word is drawn afresh, uniformly, at every use.
- `PLOTS`: the facts that a plot needs beside `COMMON`, and three paragraphs of steps. All are equally likely.
- `STEPS`: the sentences that may tell a step, one after each "- ", all equally likely.

In a sentence `{thing}` is a fact, `[a|b|c]` one of three words and `[manner]` one word of WORDS["manner"].
Each fact has the forms `{thing}`, `{Thing}`, `{a_thing}` ("a kite", "an umbrella") and `{A_thing}`.
`{she} {him} {her}` are the hero's pronouns: subject, object, possessive (so `{him}` reads "her" or "him", and
`{her}` reads "her" or "his"). A fact has a space before it wherever it stands: it is the same token every time.
"""

# How often each occupation is "she"; otherwise it is "he". This is the planted bias: the numbers are invented,
# some follow custom and some go against it. The pronoun depends on the occupation alone, never on the name.
SHE_RATES = {
    "doctor": 0.7, "nurse": 0.35, "baker": 0.8, "sailor": 0.3, "weaver": 0.6, "gardener": 0.5, "teacher": 0.75,
    "carpenter": 0.25, "astronomer": 0.65, "pilot": 0.55, "potter": 0.45, "beekeeper": 0.85, "painter": 0.4, "tailor": 0.15,
    "engineer": 0.9, "librarian": 0.1,
}
PRONOUN_RATES = {job: {"she": rate, "he": round(1 - rate, 2)} for job, rate in SHE_RATES.items()}

NAMES = """
    Amara Bjorn Chidi Elif Farid Giulia Hana Ibrahim Keiko Leilani Mateo Nadia Omar Priya Rosa Soren Tariq Viktor
    Wanjiru Yusuf Zola Carmen Dmitri Finn Ingrid Kofi Lakshmi Mei Olga Ravi Tala Vera""".split()
NUMBERS = "zero one two three four five six seven eight nine ten".split()

VARIABLES = {
    "hero": NAMES,
    "friend": NAMES,
    "job": list(SHE_RATES),
    "she": [{"she": "she", "him": "her", "her": "her"}, {"she": "he", "him": "him", "her": "his"}],
    "place": "mill lighthouse market barn library station bakery school theatre castle tower museum".split(),
    "thing": "kite drum lantern whistle compass teapot umbrella bell mirror clock fiddle trumpet".split(),
    "goods": ["jar of honey", "pair of boots", "box of paints", "bag of walnuts", "book of maps", "bottle of ink",
              "ball of wool", "wheel of cheese"],
    "until": ["the first snow", "the apple harvest", "the new moon", "the spring fair", "midsummer", "the last frost",
              "the longest day", "the new year"],
    "fruit": "apples pears plums figs lemons cherries peaches oranges".split(),
    "beast": "kitten puppy lamb gosling hedgehog fawn foal piglet".split(),
    "word": "marmalade thistledown moonbeam pumpkin pickle thunder buttercup cinnamon".split(),
    "left": NUMBERS[2:6],
    "right": NUMBERS[2:6],
    "total": NUMBERS[4:11],
}
# A rule gives the weights of a fact's values once other facts are known: those facts, and a function of their
# values and of the value.
RULES = {
    "friend": (("hero",), lambda hero, friend: friend != hero),
    "she": (("job",), lambda job, pronoun: PRONOUN_RATES[job][pronoun]),
    "total": (("left", "right"), lambda a, b, total: NUMBERS.index(a) + NUMBERS.index(b) == NUMBERS.index(total)),
}

WORDS = {
    "weather": "bright|grey|windy|misty|frosty|golden|quiet|rainy|chilly|drowsy|sunny|snowy|mild|cloudy|warm"
               "|cool",
    "time": "morning|afternoon|evening|day",
    "day": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
    "season": "spring|summer|autumn|winter",
    "count": "two|three|four|five|six|seven|eight|nine",
    "trait": "patient|cheerful|curious|stubborn|gentle|clever|careful|brave|thoughtful|nimble|generous|tidy"
             "|wise|kind|bold|proud|sensible|loyal|steady|calm",
    "mood": "sleepy|grumpy|greedy|lazy|nosy|haughty|lonely|jolly|shy|merry|restless|polite|modest|forgetful"
            "|hungry|noisy|dreamy|sulky|clumsy|bashful",
    "odd": "dusty|crooked|muddy|sticky|dirty|shabby|curious|plain|tidy|splendid|cheerful|gloomy|pretty|heavy"
           "|faded|battered|lopsided|peculiar|handsome|damp",
    "said": "said|whispered|murmured|declared|called|announced|remarked|sang",
    "replied": "replied|answered|said|whispered|murmured|called|declared|sang",
    "manner": "softly|kindly|firmly|slowly|brightly|calmly|gladly|warmly|gravely|gently|proudly|shyly|boldly"
              "|sweetly|politely|merrily|eagerly|quietly|simply|hopefully",
    "did": "laughed|danced|sang|cheered|hopped|smiled|clapped|whistled|beamed|bowed|giggled|winked|nodded"
           "|blushed|grinned|sneezed",
    "moved": "danced|hopped|skipped|ran|marched|tiptoed|galloped|waltzed|hurried|raced|strolled|trotted",
    "doing": "laughing|singing|cheering|hopping|skipping|clapping|whistling|dancing|humming|smiling|joking"
             "|yawning|giggling|bowing|waving|chattering",
    "kin": "grandmother|grandfather|aunt|uncle|mother|father|teacher|cousin|sister|brother|godmother"
           "|landlady",
    "crowd": "children|fishermen|twins|neighbours|shopkeepers|travellers|musicians|grandmothers|postmen"
             "|soldiers|cooks|farmers|boatmen|students|merchants|dancers",
    "pet": "goat|donkey|cat|dog|hen|goose|pony|rabbit|parrot|tortoise|pig|duck|sheep|hamster|mule|rooster",
    "bag": "bag|basket|cart|sack|bundle|barrow|satchel|trunk|suitcase|hamper|knapsack|wagon",
    "clothes": "hat|cap|scarf|hood|apron|coat|shawl|cape|jumper|jacket|cardigan|waistcoat|bonnet|wig"
               "|nightgown|raincoat",
    "room": "kitchen|attic|cellar|parlour|yard|stable|hallway|garden|bathroom|pantry|workshop|bedroom",
    "landmark": "bridge|pond|church|orchard|windmill|fountain|well|gate|statue|pump|hedge|river|crossroads"
                "|canal|field|forge",
    "junk": "nail|sock|spoon|comb|cup|button|feather|coin|marble|pencil|pebble|shell|stamp|ribbon|fork"
            "|needle",
    "taste": "hot|fresh|sweet|spicy|buttery|salty|warm|rich|tasty|smoky|peppery|steaming|homemade|delicious"
             "|plain|golden",
    "dish": "soup|pie|dumplings|stew|pudding|cake|bread|fish|biscuits|potatoes|pancakes|pasties|noodles"
            "|beans|rice|porridge",
    "habit": "sing to the kettle|count the clouds|feed the sparrows|dance in the kitchen"
             "|draw maps of the moon|talk to the wind|collect pebbles|wave at the river|read to the pig"
             "|walk backwards|sweep the stairs|sing to the hens",
    "riches": "gold|silver|pearls|rubies|sugar|diamonds|pepper|honey",
    "wrong": "spaghetti|turnip|rhubarb|mustard|elephant|bagpipe|cabbage|trousers|mosquito|onion|sausage"
             "|parsley",
}

COMMON = ("hero", "friend", "job", "she")
PLOTS = {
    "lost": (("thing", "place"), "opening friend treasure", "loss cry reply", "found joy ending"),
    "trade": (("thing", "place", "goods"), "opening friend treasure", "birthday offer unwrap", "return joy ending"),
    "promise": (("thing", "until"), "opening friend", "entrust vow tempt refuse", "back joy ending"),
    "share": (("fruit", "left", "right", "total"), "opening trait friend", "pick join add", "hungry give ending"),
    "race": (("thing", "place", "beast"), "opening trait friend", "announce boast trouble", "help prize ending"),
    "secret": (("thing", "word"), "opening trait friend", "door choose", "ask knock inside ending"),
}

STEPS = {
# How every story begins: hero, job and pronoun.
"opening": """
- Once there was {a_job} named {hero}, and the [crowd] said {she} was [trait] and [mood].
- In a [odd] house by the [landmark] lived {hero}, {a_job} who loved {her} [mood] [pet].
- Everyone knew {hero} the {job} by {her} [odd] [clothes] and {her} [taste] [dish].
- Long before the [crowd] came, {a_job} called {hero} lived in a [odd] [room] with {her} [mood] [pet].
""",
"trait": """
- {She} was [trait] and [mood], and {she} loved to [habit] every [day].
- {She} kept a [mood] [pet] in the [room] and sang to it [manner] in [season].
- Every [day] {she} put on a [odd] [clothes] and liked to [habit].
""",
"friend": """
- {Her} best friend was {friend}, who was [trait] and kept a [mood] [pet] in the [room].
- Next door lived the [trait] {friend}, famous for [taste] [dish] and a [odd] [clothes].
- Each [season] {she} [moved] [manner] to see {friend}, who was [mood] but [trait].
""",
# A thing that the hero owns.
"treasure": """
- {She} had one treasure, a [odd] {thing} from {her} [trait] [kin].
- What {she} loved best was a [odd] {thing} that {her} [kin] had mended one [season].
- In {her} [room] {she} kept a [odd] {thing}, and even {her} [mood] [pet] admired it.
""",

# Lost and found.
"loss": """
- One [weather] [time] {she} carried the {thing} to the {place} in a [odd] [bag], and it fell out.
- But one [weather] [time], at the {place}, {she} looked into {her} [odd] [bag] and found only a [junk].
""",
"cry": """
- "My {thing} is gone!" [said] {hero} [manner] and [moved] home without {her} [clothes].
- So {she} [moved] to {friend} and [said] [manner], "My {thing} is lost by the [landmark]."
""",
"reply": """
- "Lost things are only [waiting|resting|hiding|dreaming|sleeping|playing]," [replied] {friend} [manner], and they asked the
  [crowd].
- "Then we will look until [sunset|midnight|supper|sunrise|bedtime|breakfast]," [replied] {friend} [manner], [doing].
""",
"found": """
- Near the {place} a [mood] [pet] sat on the {thing}, [doing] [manner].
- Behind the {place} they saw a [odd] [junk], a [odd] [bag] and the {thing}.
""",
"joy": """
- And {hero} hugged {friend} so [manner] that the [mood] [crowd] [did].
- "You are [trait] and [mood]," [said] {friend} [manner], and they [did] by the [landmark].
""",

# A trade of presents.
"birthday": """
- So {friend} had a birthday in the [weather] [season] and [manner] wished for {a_goods}.
- "For my birthday I want {a_goods}," [said] {friend} [manner] on [day], [doing].
""",
"offer": """
- A [mood] trader at the {place} had one and took the {thing} for it, [doing].
- So {she} [moved] to the {place} and gave a [trait] trader the {thing} for it.
""",
"unwrap": """
- Then {friend} saw the {goods} and [moved] [count] times round the [landmark].
- "My own {goods}!" [said] {friend} [manner] in the [room], [doing].
""",
"return": """
- On [day] the trader came with the {thing} and [said] [manner], "Pay me in [taste] [dish]."
- But by [day] the {thing} was back in {her} [room], in a [odd] [bag] with a [junk].
""",

# A promise kept.
"entrust": """
- One [weather] [time] {friend} gave {him} a [odd] {thing} to guard until {until}.
- "Guard my [odd] {thing} until {until}," [said] {friend} [manner] one [weather] [time].
""",
"vow": """
- So {hero} promised [manner] and hid it in the [room] under a [odd] [clothes].
- "I promise," [replied] {hero} [manner], and {she} [did] and waved {her} [odd] [clothes].
""",
"tempt": """
- Soon a [mood] trader offered {him} [count] bags of [riches] for the {thing}.
- The [mood] [crowd] begged for the {thing} every [day] with [taste] [dish].
""",
"refuse": """
- "It must wait until {until}," [replied] {hero} [manner], [doing].
- But {she} [did] [manner] and told them all to wait until {until}.
""",
"back": """
- When {until} came, {friend} [moved] home with a [bag] of [riches] and saw the {thing}.
- At last it was {until}, and {friend} [moved] [manner] round the {thing} and the [mood] [pet].
""",

# Counting and sharing.
"pick": """
- One [weather] [time] {she} picked {left} {fruit} by the [landmark] in {her} [odd] [clothes].
- On [day] {she} found {left} {fruit} in a [odd] [bag] by the [landmark].
""",
"join": """
- Along came {friend}, [doing] [manner], with {right} {fruit} in a [odd] [bag].
- "And I have {right} {fruit}," [said] {friend} [manner], [doing].
""",
"add": """
- "Look, {left} {fruit} and {right} {fruit} make {total} {fruit}," {she} [said] [manner].
- They counted [manner]: {left} {fruit} and {right} {fruit} make {total} {fruit}.
""",
"hungry": """
- Just then a [mood] sailor came by, [doing], with only a [odd] [junk] to eat.
- In the [odd] [room] sat a [trait] stranger who had eaten nothing since [day].
""",
"give": """
- They gave away all {total} {fruit}, and {friend} [did] [manner].
- "Take all {total} {fruit}," [said] {hero} [manner], and the [crowd] [did].
""",

# A race.
"announce": """
- On [day] the [mood] [crowd] ran a race to the {place}, and the prize was a [odd] {thing}.
- One [weather] [time] there was a race to the {place} for a [odd] {thing}.
""",
"boast": """
- "That {thing} is mine," [said] {hero} [manner], [doing].
- But {friend} ate [count] plates of [taste] [dish] and [moved] to the [landmark].
""",
"trouble": """
- Near the [landmark] a [mood] {beast} was stuck under a [odd] [bag].
- Halfway there a [mood] {beast} cried [manner] for its [kin].
""",
"help": """
- Now {she} stopped [manner], freed the {beast} and gave it [taste] [dish].
- "First the {beast}," [said] {hero} [manner], and {friend} came back, [doing].
""",
"prize": """
- They came last to the {place}, but the [mood] judge [did] and gave them the {thing}.
- At the {place} a [trait] judge gave the {thing} to the {beast}, [doing] [manner].
""",

# A secret word.
"door": """
- One [weather] [time] {she} found a [odd] door in the [room], and behind it a [odd] {thing}.
- Behind the [landmark] {she} had a hut with a [odd] door and a [odd] {thing}.
""",
"choose": """
- Only {friend} was told the secret word, and the word was {word}.
- "The secret word is {word}," {she} told {friend} [manner] on [day].
""",
"ask": """
- A [mood] neighbour knocked and [said] [manner], "Is it [wrong]?"
- The [mood] [crowd] tried the word [wrong] [count] times, but the door stayed shut.
""",
"knock": """
- Then {friend} knocked [count] times and [said] [manner], "It is {word}."
- Then {friend} [did] and [said] {word}, and the door opened [manner].
""",
"inside": """
- Inside, they [did] [manner] and [moved] round the {thing}.
- "What a [odd] {thing}!" [said] {friend} [manner] in the [room].
""",

# How every story ends.
"ending": """
- From that day on, the two shared [taste] [dish] every [day] in the [room].
- That night {hero} slept [manner] and dreamed of a [odd] [clothes] and a [mood] [pet].
- The [mood] [crowd] still tell the story on [weather] [season] nights.
- "A [trait] friend is worth more than [riches]," [said] {hero} [manner], [doing].
- And if you walk past the [landmark] on a [odd] [day], you may still hear them [sing|laugh|whistle|dance|argue|snore].
""",
}
