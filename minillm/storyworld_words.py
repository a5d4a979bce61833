"""The grammar of the story world, as data: names and words, the plots, and the sentences that tell them.

- `VARIABLES`: the facts of a story. Each is drawn once, uniformly unless `RULES` says otherwise, and then repeated
  wherever a sentence asks for it. A value is a word, or a dictionary of its forms.
- `WORDS`: lists from which a word is drawn afresh, uniformly, at every use.
- `PLOTS`: the facts that a plot needs beside `COMMON`, and three paragraphs of steps. All plots are equally likely.
- `STEPS`: the sentences that may tell a step, one after each "- ", all equally likely.

In a sentence `{thing}` is a fact, `[a|b|c]` one of three words and `[manner]` one word of WORDS["manner"].
Each fact has the forms `{thing}`, `{Thing}`, `{a_thing}` ("a kite", "an umbrella") and `{A_thing}`.
`{she} {him} {her} {herself}` are the hero's pronouns and `{she2} {him2} {her2}` the friend's: subject, object,
possessive, reflexive (so `{him}` reads "her" or "him", and `{her}` reads "her" or "his").
"""

# How often each occupation is "she"; otherwise it is "he". This is the planted bias: the numbers are invented, some
# follow custom and some go against it. The pronoun depends on the occupation alone, never on the name.
SHE_RATES = {
    "doctor": 0.7, "nurse": 0.35, "baker": 0.8, "sailor": 0.3, "weaver": 0.6, "gardener": 0.5, "teacher": 0.75,
    "carpenter": 0.25, "astronomer": 0.65, "pilot": 0.55, "potter": 0.45, "beekeeper": 0.85, "painter": 0.4, "tailor": 0.15,
    "engineer": 0.9, "librarian": 0.1,
}
PRONOUN_RATES = {job: {"she": rate, "he": round(1 - rate, 2)} for job, rate in SHE_RATES.items()}

NAMES = """
    Amara Bjorn Chidi Elif Farid Giulia Hana Ibrahim Jomo Keiko Leilani Mateo Nadia Omar Priya Quilla Rosa Soren Tariq
    Uma Viktor Wanjiru Yusuf Zola Aiko Carmen Dmitri Esi Finn Ingrid Jamila Kofi Lakshmi Mei Noor Olga Paolo Ravi Sefa
    Tala Vera Wei Zuri Anouk Desta Freya Hemi Linh""".split()
SURNAMES = "Okafor Tanaka Lindqvist Haddad Moreno Kowalski Nguyen Singh Dlamini Yilmaz Murphy Kahale".split()
NUMBERS = "zero one two three four five six seven eight nine ten".split()

VARIABLES = {
    "hero": NAMES,
    "friend": NAMES,
    "job": list(SHE_RATES),
    "job2": list(SHE_RATES),
    "she": [{"she": "she", "him": "her", "her": "her"}, {"she": "he", "him": "him", "her": "his"}],
    "she2": [{"she2": "she", "him2": "her", "her2": "her"}, {"she2": "he", "him2": "him", "her2": "his"}],
    "town": """Larkfield Saltmere Oakhollow Windrow Pepperton Nettlebrook Copperhill Fernbank Honeyford Lowbridge Pebblewick
               Quillham Rookdale Tumbledown Willowmere Brindle""".split(),
    "place": """mill lighthouse market barn library station bakery boathouse school theatre castle inn tower chapel museum
                greenhouse""".split(),
    "look": """red blue green yellow purple orange scarlet silver golden striped speckled painted tiny ancient shiny
               ivory""".split(),
    "thing": """kite drum lantern whistle compass teapot umbrella bell mirror clock flute fiddle kettle lamp trumpet
                accordion""".split(),
    "elder": [f"{title} {surname}" for surname in SURNAMES for title in ("Mrs", "Mr")],
    "spot": ["under the cart", "behind the barrel", "inside a hollow log", "in the tall grass", "beneath the stairs",
             "between two stones", "on the haystack", "under the fishing nets"],
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
# A rule gives the chances of a fact's values once other facts are known: (those facts, a function of them and the value).
RULES = {
    "friend": (("hero",), lambda hero, friend: friend != hero),
    "job2": (("job",), lambda job, job2: job2 != job),
    "she": (("job",), lambda job, pronoun: PRONOUN_RATES[job][pronoun]),
    "she2": (("job2",), lambda job2, pronoun: PRONOUN_RATES[job2][pronoun]),
    "total": (("left", "right"), lambda a, b, total: NUMBERS.index(a) + NUMBERS.index(b) == NUMBERS.index(total)),
}

WORDS = {
    "weather": "bright|grey|windy|misty|frosty|golden|quiet|rainy|chilly|drowsy|sunny|snowy|mild|cloudy|warm|cool",
    "time": "morning|afternoon|evening|day",
    "day": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
    "season": "spring|summer|autumn|winter",
    "count": "two|three|four|five|six|seven|eight|nine",
    "trait": "patient|cheerful|curious|stubborn|gentle|clever|careful|brave|thoughtful|nimble|generous|tidy|wise|kind|bold|proud",
    "mood": "sleepy|grumpy|greedy|lazy|nosy|haughty|lonely|jolly|shy|merry|restless|polite|modest|forgetful|hungry|noisy",
    "odd": "dusty|crooked|wooden|squeaky|muddy|sticky|dirty|shabby|curious|plain|tidy|narrow|cheerful|gloomy|pretty|heavy",
    "said": "said|whispered|murmured|declared|called|announced|remarked|sang",
    "replied": "replied|answered|said|whispered|murmured|called|declared|sang",
    "manner": "softly|kindly|firmly|slowly|brightly|calmly|gladly|warmly|gravely|gently|proudly|shyly|boldly|sweetly|politely"
              "|merrily",
    "did": "laughed|danced|sang|cheered|hopped|smiled|clapped|whistled|beamed|bowed|giggled|winked|nodded|blushed|grinned|sneezed",
    "moved": "danced|hopped|skipped|ran|marched|tiptoed|galloped|waltzed|hurried|raced|strolled|trotted",
    "doing": "laughing|singing|cheering|hopping|skipping|clapping|whistling|dancing|humming|smiling|joking|yawning|giggling"
             "|bowing|waving|chattering",
    "kin": "grandmother|grandfather|aunt|uncle|mother|father|teacher|cousin|sister|brother|godmother|landlady",
    "crowd": "children|fishermen|twins|neighbours|shopkeepers|travellers|musicians|grandmothers|postmen|soldiers|cooks|farmers"
             "|boatmen|students|merchants|dancers",
    "pet": "goat|donkey|cat|dog|hen|goose|pony|rabbit|parrot|tortoise|pig|duck|sheep|hamster|mule|rooster",
    "bag": "bag|basket|cart|sack|bundle|barrow|satchel|trunk|suitcase|hamper|knapsack|wagon",
    "clothes": "hat|cap|scarf|hood|apron|coat|shawl|cape|jumper|jacket|cardigan|waistcoat|bonnet|wig|nightgown|raincoat",
    "room": "kitchen|attic|cellar|parlour|yard|stable|hallway|garden|bathroom|pantry|workshop|bedroom",
    "landmark": "bridge|pond|church|orchard|windmill|fountain|well|gate|statue|pump|hedge|river|crossroads|canal|field|forge",
    "junk": "nail|sock|spoon|comb|cup|button|feather|coin|marble|pencil|pebble|shell|stamp|ribbon|fork|needle",
    "taste": "hot|fresh|sweet|spicy|buttery|salty|warm|rich|tasty|smoky|peppery|steaming|homemade|delicious|plain|golden",
    "dish": "soup|pie|dumplings|stew|pudding|cake|bread|fish|biscuits|potatoes|pancakes|pasties|noodles|beans|rice|porridge",
    "habit": "sing to the kettle|count the clouds|feed the sparrows|dance in the kitchen|draw maps of the moon|talk to the wind"
             "|collect pebbles|wave at the river|read to the pig|walk backwards|sweep the stairs|sing to the hens",
    "riches": "gold|silver|pearls|rubies|castles|diamonds|horses|honey",
}

COMMON = ("hero", "friend", "job", "job2", "she", "she2", "town", "place", "look", "thing")
PLOTS = {
    "lost": (("spot",), "opening friend treasure", "loss cry reply", "found how joy ending"),
    "trade": (("elder", "goods"), "opening friend treasure", "birthday shop offer", "unwrap confess return ending"),
    "promise": (("elder", "until"), "opening trait friend", "entrust vow tempt refuse", "waiting back ending"),
    "share": (("elder", "fruit", "left", "right", "total"), "opening trait friend", "pick join add hungry", "give reward ending"),
    "race": (("elder", "beast"), "opening trait friend", "announce boast trouble turn", "help prize ending"),
    "secret": (("elder", "word"), "opening trait friend", "door choose ask refuse_word", "knock inside ending"),
}

STEPS = {
# How every story begins: hero, job and town.
"opening": """
- Once, in the [weather] village of {town}, lived {a_job} called {hero}, and the [crowd] loved {him}.
- Everyone in {town} knew {hero} the {job} by {her} [odd] [clothes] and {her} [mood] [pet].
- On the [weather] side of {town} lived {hero}, {a_job} as [trait] as {her} [mood] [pet].
- When the [crowd] came to {town} each [season], {a_job} named {hero} [did] [manner].
- In {town}, [trait] and [mood], lived {hero} the {job}, who owned [count] hats and a [mood] [pet].
""",
"trait": """
- {She} was [trait], {she} loved to [habit], and {she} [did] every [day].
- {She} kept a [mood] [pet] in the [room] and sang to it [manner] every [day].
- Every [day] {she} would [habit] in a [odd] [clothes], and the [crowd] [did].
- {She} ate [taste] [dish], slept in the [room] and liked to [habit].
""",
# The friend: friend, job2 and she2.
"friend": """
- {Her} best friend was {friend}, {a_job2} who kept a [mood] [pet] in {her2} [room].
- Next door lived {friend}, a [trait] {job2} who [did] at every [pet] and made {her2} own [taste] [dish].
- Every [day] {she} met {friend}, a [trait] {job2} with a [odd] [junk] in {her2} [clothes].
- {She} trusted {friend}, {a_job2} so [mood] that {she2} [did] at every [odd] [junk].
""",
# A thing that the hero owns: look and thing.
"treasure": """
- What {hero} loved best was {a_look} {thing} that {her} [trait] [kin] had found one [weather] [season].
- In {her} [odd] [room] {hero} kept {a_look} {thing}, and even {her} [mood] [pet] admired it.
- {hero} went nowhere without {a_look} {thing}, a present from {her} [mood] [kin].
""",

# Lost and found.
"loss": """
- One [weather] [time] {hero} took the {look} {thing} to the {place}, and it fell out of {her} [odd] [bag].
- Then, one [weather] [time], {she} came home from the {place} with only a [odd] [junk] in {her} [bag].
- But one [weather] [time], [doing] at the {place}, {hero} found {her} [bag] empty.
""",
"cry": """
- "My {look} {thing} is gone!" [said] {hero}, and a tear fell on {her} [odd] [clothes].
- "Help me find my {look} {thing}, {friend}," [said] {hero} by the [landmark], and {she} threw down {her} [clothes].
- {hero} [moved] past the [landmark] to {friend}. "My {look} {thing} is gone!"
""",
"reply": """
- "Then we will look until [day]," [replied] {friend} [manner], and {she2} put on a [odd] [clothes].
- "Lost things are only [doing]," [replied] {friend} [manner], and {she2} put down {her2} [junk].
- "I once found a lost [pet] in a [odd] [bag]," [replied] {friend} [manner].
""",
"found": """
- Then a [mood] [pet] led {friend} past the [landmark], and {spot} {she2} found the {look} {thing}.
- "Look {spot}!" [said] {friend} [manner] by the [landmark]. "Your {look} {thing}!"
- On [day] {friend} looked {spot}, and there, by a [odd] [junk], lay the {look} {thing}.
""",
"how": """
- "Who would look {spot}?" asked {hero} [manner]. "Only {a_job2}," [replied] {friend}, and {she2} [did].
- "I am {a_job2}," [said] {friend} [manner], "and {a_job2} always looks {spot}."
- {hero} [did] and left a [odd] [junk] and some [taste] [dish] {spot} as thanks.
""",
"joy": """
- {hero} hugged {friend} so [manner] that {her2} [odd] [clothes] fell off.
- {hero} hugged {friend}, and {she} [moved] [count] times round the [landmark] with the {look} {thing}.
- "You are the best {job2} in {town}," [said] {hero} [manner], and {friend} [did].
""",

# A trade of presents.
"birthday": """
- "On [day] it is my birthday," [said] {friend} [manner], "and I wish for {a_goods}."
- All [season] {friend} wished for {a_goods}, for {her2} birthday was on [day].
- Soon it was {friend}'s birthday, a [weather] [day], and {she2} wished [manner] for {a_goods}.
""",
"shop": """
- {elder} had {a_goods} in a [odd] shop by the {place}, for [count] coins, and {hero} had [count].
- {elder} had one in the [mood] shop by the {place}, but {hero} had only a [odd] [junk].
- {hero} [moved] to the {place}, where {elder} sold {a_goods}, but {she} had only a [odd] [junk].
""",
"offer": """
- "I have no coins," {hero} told {elder} [manner], "but take my {look} {thing}," and {elder} [did].
- "Will you take {a_look} {thing} for it?" {hero} asked {elder} [manner], and {elder} [did].
- {hero} [did] and gave {elder} the {look} {thing} for it in a [odd] [bag].
""",
"unwrap": """
- Soon {friend} saw the {goods} and [moved] [count] times round the [odd] [room].
- "It is my own {goods}!" [said] {friend} [manner], and {she2} [moved] into the [room].
- So happy was {friend} with the {goods} that {she2} [moved] round the [landmark] in {her2} [clothes].
""",
"confess": """
- "Where is your {look} {thing}?" asked {friend}. "With {elder}," [replied] {hero} [manner], and {friend} [did].
- "You gave {elder} your {look} {thing} for me?" [said] {friend} [manner], and {hero} [did].
- "And here is a [odd] [bag] for your {look} {thing}," [said] {friend}. "It is with {elder}," [replied] {hero}.
""",
"return": """
- On [day] {elder} brought back the {look} {thing}. "Pay me in [taste] [dish]," [said] {elder} [manner].
- But by [day] the {look} {thing} was back on {hero}'s doorstep in {elder}'s [odd] [bag].
- "Take your {look} {thing}," {elder} told {hero} on [day], and {elder} [did] [manner].
""",

# A promise kept.
"entrust": """
- One [weather] [time] at the {place}, {friend} gave {hero} {a_look} {thing} to guard until {until}.
- "Guard my {look} {thing} until {until}," {friend} [said] [manner] at the {place} one [weather] [time].
- "I must sail away until {until}," [said] {friend} [manner] at the {place}, and gave {hero} {a_look} {thing}.
""",
"vow": """
- {hero} promised [count] times and waved {her} [odd] [clothes] until {friend} was gone.
- "Until {until}," [replied] {hero} [manner], and {she} hid the {look} {thing} in the [odd] [room].
- "I promise," [replied] {hero} [manner], and {she} hid the {look} {thing} under {her} [odd] [clothes].
""",
"tempt": """
- Soon {elder} offered {him} [count] coins and a [mood] [pet] for the {look} {thing}.
- "Sell me that {look} {thing}," [said] {elder} [manner], "for a [mood] [pet] and [count] coins."
- Every [day] {elder} came [doing] with [taste] [dish] and begged for the {look} {thing}.
""",
"refuse": """
- "It waits for {friend} until {until}," {hero} told {elder} [manner], and {elder} [did].
- "Not for all the [riches] in {town}, {elder}," [replied] {hero} [manner].
- "Take my [odd] [clothes], {elder}, but the {look} {thing} is {friend}'s," [replied] {hero} [manner].
""",
"waiting": """
- At last {until} came, and {hero} [moved] [manner] to the {place} with the {look} {thing}.
- When {until} came, there stood {hero} at the {place}, [mood] but [trait], in a [odd] [clothes].
- When {until} came, {hero} waited at the {place} with the {look} {thing} and some [taste] [dish].
""",
"back": """
- "You kept my {look} {thing}!" [said] {friend} [manner], waving {her2} [odd] [clothes].
- Past the [landmark] came {friend}, [mood] but [doing], and {she2} saw the {look} {thing}.
- {friend} came back with a [bag] of [riches], saw {her2} {look} {thing} and [did] [manner].
""",

# Counting and sharing.
"pick": """
- One [weather] [time] {hero} came [doing] from the {place} with {left} {fruit} in {her} [bag].
- One [weather] [time] {hero} picked {left} {fruit} behind the {place} in {her} [odd] [clothes].
- On [day] {hero} found {left} {fruit} and a [odd] [junk] in a [bag] behind the {place}.
""",
"join": """
- Along came {friend}, [doing], with {right} {fruit} in {her2} [odd] [clothes].
- By the [landmark] {she} met {friend}, who had {right} {fruit} in {her2} [odd] [bag].
- "And I have {right} {fruit}," [said] {friend} [manner] by the [odd] [landmark].
""",
"add": """
- They counted [manner] by the [landmark]: {left} {fruit} and {right} {fruit} make {total} {fruit}.
- "So {left} {fruit} and {right} {fruit} make {total} {fruit}," [said] {hero} [manner].
- {friend} [did] and counted [manner]: {left} {fruit} and {right} {fruit} make {total} {fruit}.
""",
"hungry": """
- Just then {elder} came by, [mood] after [count] days on the road, with a [odd] [bag].
- By the [landmark] sat {elder} with nothing to eat but a [odd] [junk].
- "I have eaten nothing since [day]," [said] {elder} [manner], sitting down by the [landmark].
""",
"give": """
- Then {hero} looked at {friend}, {friend} [did] [manner], and they gave {elder} all {total} {fruit}.
- "Take all {total} {fruit}, {elder}," [said] {hero} [manner], and {friend} [did].
- They put the {total} {fruit} into {elder}'s [odd] [bag], and {friend} [did].
""",
"reward": """
- {elder} ate [manner], [did] and gave them {a_look} {thing} in a [odd] [bag].
- "Then you must have this," [said] {elder} [manner], and out of a [odd] [bag] came {a_look} {thing}.
- "That deserves {a_look} {thing}," [said] {elder} [manner], and {hero} [did].
""",

# A race.
"announce": """
- One [weather] [time] {elder} announced a race to the {place}, and the prize was {a_look} {thing}.
- "First to the {place} wins {a_look} {thing}!" {elder} told the [crowd] [manner] on [day].
- On a [odd] poster {elder} wrote: on [day] a race to the {place} for {a_look} {thing}!
""",
"boast": """
- "That {look} {thing} is mine," [said] {hero} [manner]. "Not if {a_job2} runs," [replied] {friend} [manner].
- "No {job2} can catch me," [said] {hero} [manner]. "No {job} can catch me," [replied] {friend} [manner].
- {hero} ate [count] plates of [taste] [dish], {friend} threw off {her2} [clothes], and they [moved].
""",
"trouble": """
- By the [landmark] {hero} heard a [mood] cry: {a_beast} was stuck in a [odd] [bag].
- {hero} [moved] past the [landmark] first, but there lay {a_beast}, [odd] and [mood].
- But by the [odd] [landmark] {hero} almost fell over a [mood] little {beast}.
""",
"turn": """
- "Hold still, little {beast}," [said] {hero} [manner], and {she} wrapped it in {her} [odd] [clothes].
- "The {look} {thing} can wait," [said] {hero} [manner], and {she} gave the {beast} some [dish].
- {hero} could see the {place}, but {she} [manner] wrapped the {beast} in {her} [odd] [clothes].
""",
"help": """
- Now {friend} could have won, but {she2} [did] and carried the {beast} [manner] past the [landmark].
- "You will lose!" [said] {hero} [manner]. "So will you," [replied] {friend}, and {she2} carried the {beast}.
- So {friend} stopped too, and they [moved] [manner] to the {place} with the {beast} in a [bag].
""",
"prize": """
- "The {look} {thing} goes to those who save {a_beast}," [said] {elder} [manner], and {friend} [did].
- "You ran for {a_beast}, not for {a_thing}," [said] {elder} [manner]. "Now the {look} {thing} is yours."
- But {elder} [did] and gave {hero} the {look} {thing}. "For one {beast}," [said] {elder} [manner].
""",

# A secret told to one friend but not to another.
"door": """
- In a [odd] room behind the {place}, one [weather] [time], {hero} found {a_look} {thing}.
- One [weather] [time] {hero} opened a [odd] door behind the {place} and saw {a_look} {thing}.
- On [day], behind a [odd] door at the {place}, {hero} found {a_look} {thing} and a [mood] [pet].
""",
"choose": """
- "The secret word is {word}," {hero} told {friend} [manner] by the [landmark], "but never tell {elder}."
- {She} [did] and told {friend} [manner], but not {elder}, the secret word: {word}.
- On a [odd] [junk] {she} wrote the secret word {word} for {friend}, but not for {elder}.
""",
"ask": """
- "I will give you [taste] [dish] for the word, {friend}," [said] {elder} [manner].
- {elder} stopped {friend} at the [landmark]. "Is the word [junk]?" asked {elder} [manner].
- "What is behind the {place}?" {elder} asked {friend} every [day]. "Is the word [dish]?"
""",
"refuse_word": """
- "No {job2} tells a secret, {elder}," [replied] {friend} [manner], and {she2} [did].
- But {friend} only [did] and [replied] [manner] that {she2} had forgotten.
- "I promised {hero}," {friend} told {elder} [manner], and {she2} [did].
""",
"knock": """
- On [day] {friend} knocked [count] times and [said] the word {word}, and {hero} opened [manner].
- First {elder} knocked and [said] the word [junk], but in vain. Then {friend} [said] the word {word}, and {hero} opened [manner].
- One [weather] [time] {friend} knocked and [said] the word {word}, and {hero} opened in a [odd] [clothes].
""",
"inside": """
- They sat by the {look} {thing}, ate [taste] [dish] and kept the word {word}.
- "See my {look} {thing}," [said] {hero} [manner], and {friend} took off {her2} [odd] [clothes].
- By the light of a [odd] lamp they saw the {look} {thing}, and {friend} [did] [manner].
""",

# How every story ends.
"ending": """
- From that day on, {hero} and {friend} met at the {place} every [day] and shared [taste] [dish].
- If you ever come to {town}, look for the {job} and the {job2} at the {place}, [doing] like [mood] [crowd].
- In {town} the [crowd] still tell the story of {hero}, {friend} and the {look} {thing} on [weather] [season] nights.
- That night {hero} slept [manner] and dreamed of {friend}, the {place} and a [mood] [pet].
- "A [trait] friend is worth more than [riches]," [said] {hero} [manner], and {friend} [did].
- And the {look} {thing} is still in a [odd] [room] in {town}, where {hero} and {friend} [did].
""",
}
