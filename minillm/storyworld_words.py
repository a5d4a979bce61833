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
    "carpenter": 0.25, "astronomer": 0.65, "pilot": 0.55, "potter": 0.45, "clockmaker": 0.4, "beekeeper": 0.85,
    "painter": 0.5, "miller": 0.2, "tailor": 0.15, "engineer": 0.9, "librarian": 0.1, "blacksmith": 0.3, "juggler": 0.95,
}
PRONOUN_RATES = {job: {"she": rate, "he": round(1 - rate, 2)} for job, rate in SHE_RATES.items()}

NAMES = """
    Amara Bjorn Chidi Elif Farid Giulia Hana Ibrahim Jomo Keiko Leilani Mateo Nadia Omar Priya Quilla Rosa Soren Tariq
    Uma Viktor Wanjiru Ximena Yusuf Zola Aiko Bao Carmen Dmitri Esi Finn Gwen Hiro Ingrid Jamila Kofi Lakshmi Mei Noor
    Olga Paolo Ravi Sefa Tala Vera Wei Yara Zuri Anouk Bilal Ciara Desta Emeka Freya Gita Hemi Ivan Juma Kiri Linh
    Malik Oren Pilar Rania""".split()

SURNAMES = """
    Okafor Tanaka Lindqvist Haddad Moreno Kowalski Nguyen Rossi Singh Dlamini Yilmaz Chen Murphy Cohen Kahale
    Novak""".split()

NUMBERS = "zero one two three four five six seven eight nine ten".split()
WISHES = """
    see the sea / saw the sea; ride a camel / rode a camel; fly in a balloon / flew in a balloon;
    climb a mountain / climbed a mountain; touch a cloud / touched a cloud; meet a whale / met a whale;
    hear an opera / heard an opera; taste a mango / tasted a mango; feed an elephant / fed an elephant;
    dance with a bear / danced with a bear; sail a ship / sailed a ship; drive a train / drove a train"""

VARIABLES = {
    "hero": NAMES,
    "friend": NAMES,
    "job": list(SHE_RATES),
    "job2": list(SHE_RATES),
    "she": [{"she": "she", "him": "her", "her": "her"},
            {"she": "he", "him": "him", "her": "his"}],
    "she2": [{"she2": "she", "him2": "her", "her2": "her", "herself2": "herself"},
             {"she2": "he", "him2": "him", "her2": "his", "herself2": "himself"}],
    "town": """Larkfield Saltmere Oakhollow Windrow Pepperton Nettlebrook Copperhill Fernbank Honeyford Lowbridge
               Pebblewick Quillham Rookdale Tumbledown Willowmere Brindle Thornby Mossgate Cloverdale Emberton""".split(),
    "place": """mill lighthouse market barn library station bakery boathouse school theatre castle inn tower chapel
                museum greenhouse cinema hotel""".split(),
    "look": """red blue green yellow purple orange scarlet silver golden striped speckled painted tiny ancient shiny
               ivory crimson indigo""".split(),
    "thing": """kite drum lantern whistle compass teapot umbrella bell basket mirror clock flute vase fiddle kettle
                cushion lamp jug bowl trumpet puppet telescope globe accordion""".split(),
    "elder": [f"{title} {surname}" for surname in SURNAMES for title in ("Mrs", "Mr")],
    "spot": ["under the cart", "behind the rain barrel", "inside a hollow log", "in the tall grass", "beneath the steps",
             "between two stones", "behind the flour sacks", "under the fishing nets", "beside the garden gate",
             "in the blackberry bushes", "inside an old boot", "on top of the haystack"],
    "goods": ["jar of honey", "pair of boots", "box of paints", "bag of walnuts", "book of maps", "bottle of ink",
              "ball of wool", "wheel of cheese", "roll of silk", "tin of toffee", "crate of lemons", "pot of jam"],
    "until": ["the first snow", "the apple harvest", "the new moon", "the spring fair", "the lantern festival",
              "midsummer", "the last frost", "the autumn rains", "the longest day", "the new year", "the winter market",
              "the plum blossom"],
    "fruit": "apples pears plums figs lemons cherries peaches chestnuts apricots oranges walnuts quinces".split(),
    "flock": "sheep goats ponies hens geese cows ducks donkeys lambs llamas".split(),
    "beast": "goat donkey kitten puppy hen rabbit pony lamb gosling hedgehog fawn tortoise".split(),
    "word": """marmalade thistledown moonbeam pumpkin pickle thunder buttercup cinnamon walnut porridge snowflake
               pineapple""".split(),
    "wish": [dict(zip(("wish", "wished"), " ".join(pair.split()).split(" / "))) for pair in WISHES.split(";")],
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
    "weather": "bright|grey|windy|misty|frosty|golden|quiet|rainy|chilly|drowsy|sunny|snowy|hazy|mild|cloudy|warm|cool|damp"
               "|breezy|foggy",
    "time": "morning|afternoon|evening|day",
    "day": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
    "season": "spring|summer|autumn|winter",
    "count": "two|three|four|five|six|seven|eight|nine",
    "trait": "patient|cheerful|curious|stubborn|gentle|clever|careful|brave|helpful|thoughtful|nimble|sensible|generous|tidy"
             "|quick|wise",
    "trait2": "kind|bold|proud|dreamy|shy|merry|restless|polite|modest|forgetful|quiet|funny|calm|solemn|hopeful|lively",
    "said": "said|whispered|murmured|declared|called|announced|remarked|sang",
    "replied": "replied|answered|said|responded|whispered|murmured|called|sang",
    "manner": "softly|kindly|firmly|slowly|brightly|calmly|gladly|warmly|quickly|gravely|gently|proudly|shyly|boldly|sweetly"
              "|politely|merrily|solemnly|cheerfully|eagerly|quietly|simply|hopefully|patiently",
    "did": "laughed|danced|sang|cheered|hopped|smiled|clapped|whistled|beamed|bowed|giggled|winked|nodded|blushed|grinned|sneezed",
    "moved": "danced|hopped|skipped|ran|marched|tiptoed|galloped|waltzed|hurried|raced|strolled|trotted",
    "doing": "laughing|singing|cheering|hopping|skipping|clapping|whistling|dancing|humming|smiling|chattering|joking|yawning"
             "|giggling|bowing|waving",
    "kin": "grandmother|grandfather|aunt|uncle|mother|father|teacher|cousin|sister|brother|godmother|landlady",
    "crowd": "children|fishermen|twins|neighbours|shopkeepers|travellers|musicians|grandmothers|postmen|soldiers|cooks|farmers"
             "|boatmen|students|merchants|dancers",
    "pet": "goat|donkey|cat|dog|hen|goose|pony|rabbit|parrot|tortoise|pig|duck|sheep|hamster|mule|rooster",
    "mood": "sleepy|grumpy|fat|noisy|greedy|shaggy|lazy|nosy|plump|haughty|muddy|hungry|bouncy|fluffy|lonely|jolly",
    "bag": "bag|basket|cart|sack|bundle|barrow|satchel|trunk|suitcase|hamper|knapsack|wagon",
    "clothes": "hat|cap|shoe|scarf|hood|apron|glove|collar|boot|coat|belt|wig|bonnet|slipper|mitten|shawl",
    "cloth": "coat|scarf|apron|shawl|cape|jumper|blanket|jacket|cardigan|tablecloth|waistcoat|raincoat",
    "room": "kitchen|attic|cellar|parlour|yard|stable|hallway|garden|bathroom|pantry|workshop|bedroom",
    "house": "house|cottage|cabin|hut|caravan|loft|shed|houseboat|farmhouse|flat|villa|lodge",
    "cosy": "narrow|dusty|cheerful|gloomy|crowded|crooked|tall|low|cosy|draughty|tiny|quiet|chilly|sunny|shabby|pretty",
    "worn": "rusty|dusty|broken|bent|wooden|squeaky|hollow|crooked|muddy|sticky|dirty|soggy|faded|curious|plain|heavy",
    "junk": "nail|sock|spoon|comb|cup|button|feather|coin|marble|pencil|pebble|shell|stamp|ribbon|fork|needle",
    "landmark": "bridge|pond|church|orchard|windmill|fountain|well|gate|statue|pump|hedge|river|crossroads|canal|field|forge",
    "taste": "hot|fresh|sweet|spicy|buttery|salty|warm|rich|tasty|smoky|peppery|steaming|homemade|delicious|plain|golden",
    "dish": "soup|pie|dumplings|stew|pudding|cake|bread|fish|biscuits|potatoes|pancakes|pasties|noodles|beans|rice|porridge",
    "habit": "sing to the kettle|count the clouds|whistle on the stairs|feed the sparrows|dance in the kitchen"
             "|draw maps of the moon|read letters aloud|talk to the wind|collect pebbles|wave at trains|walk backwards"
             "|invent knots|sketch pigeons|juggle onions|climb trees|write poems",
    "riches": "gold|silver|pearls|rubies|castles|diamonds|islands|palaces|horses|honey|sugar|ships",
    "metal": "gold|silver|copper|bronze|brass|tin",
    "fabric": "velvet|leather|woollen|silk|canvas|cotton|quilted|satin|felt|linen|knitted|tartan",
    "wrong": "spaghetti|turnip|rhubarb|mustard|elephant|bagpipe|cabbage|trousers|mosquito|onion|sausage|parsley",
    "mire": "mud|hedge|brambles|ditch|fence|reeds|snow|nettles",
    "saved": "pulled|lifted|coaxed|dug|tugged|carried",
    "weary": "cold|tired|hungry|sleepy|soaked|dizzy|pale|thirsty",
}

COMMON = ("hero", "friend", "job", "job2", "she", "she2", "town", "place", "look", "thing")
PLOTS = {
    "lost": (("spot",), "opening friend treasure", "loss cry reply", "found how joy ending"),
    "trade": (("elder", "goods"), "opening friend treasure", "birthday shop offer", "unwrap cover return ending"),
    "promise": (("elder", "until"), "opening friend", "entrust vow tempt refuse", "waiting back thanks ending"),
    "share": (("elder", "fruit", "left", "right", "total"), "opening trait friend", "pick join add hungry", "give reward ending"),
    "race": (("elder", "beast"), "opening friend announce", "boast trouble turn help", "finish prize ending"),
    "storm": (("flock", "left", "right", "total"), "opening friend treasure flock", "storm missing sign seen", "tally safe ending"),
    "secret": (("elder", "word"), "opening trait friend", "door choose ask refusal", "knock inside ending"),
    "wish": (("elder", "wish"), "opening treasure wish", "scoff friend meet journey", "remind fulfil home ending"),
}

STEPS = {
# How every story begins: hero, job and town.
"opening": """
- Once, in the [sleepy|windy|sunny|crooked|quiet|hilly|snowy|mossy|busy|tiny|sandy|leafy] village of {town}, lived {a_job}
  called {hero}.
- {hero} was the [kindest|busiest|youngest|tidiest|merriest|bravest|wisest|noisiest|proudest|calmest] {job} in {town}, and
  the [crowd] knew it.
- Before the [railway|circus|telephone|ferry|bookshop|tram|bank|mayor] came to {town}, {a_job} named {hero} lived there in a
  [cosy] [house].
- Everyone in {town} knew {hero} the {job} by {her} [ringing|rumbling|sudden|silvery|booming|thunderous|gentle|musical]
  [laugh|sneeze|song|whistle|cough|yawn|footsteps|voice].
- When the [swallows|geese|storks|cranes|fireflies|bees|swans|cuckoos] came to {town} each [season], {a_job} named {hero}
  [greeted|welcomed|counted|fed|followed|admired] them.
- On the [cosy] side of {town} lived {hero}, {a_job} as [trait] as {she} was [trait2].
""",
"trait": """
- {She} was [trait] and [trait2], and {she} [liked|loved] to [habit].
- {She} kept a [mood] [pet] in the [room] and [sang|read|whistled|talked|bowed|waved] to it every [day].
- Every [day] {she} would [habit], and the [crowd] thought {him} rather [trait2].
- Nobody was so [trait], and nobody else would [habit] before [breakfast|school|work|sunrise|supper|church].
""",
# The friend: friend, job2 and she2.
"friend": """
- {Her} best friend was {friend}, {a_job2} who kept {her2} [savings|buttons|letters|pencils|spoons|secrets|slippers|onions]
  in a [worn] [boot|hatbox|bucket|pillow|flowerpot|biscuit tin|violin case|coffee pot].
- Next door lived {her} friend {friend}, {a_job2} so [trait2] that {she2} [bowed to|whispered to|sang for|waved at|read to]
  [bees|spiders|snails|hedges|pigeons|stars|clouds|cows|trees|strangers].
- Every [day] {she} had supper with {friend}, a [trait] {job2} famous for {her2} [taste] [dish].
- {She} trusted nobody more than {friend}, a [trait2] {job2} who once [mended|lifted|carried|painted|rescued|built] a
  [bridge|piano|boat|bell|chimney|carriage|fence|sledge] by {herself2}.
- {Her} neighbour {friend}, {a_job2}, kept a [mood] [pet] in {her2} [room] and never [locked|swept|heated|painted|left] the
  [house].
""",
# A thing that the hero owns: look and thing.
"treasure": """
- What {hero} loved best was {a_look} {thing} that {her} [kin] had [found|bought|won|borrowed|rescued|mended] one [season].
- {hero} had one treasure, {a_look} {thing}, which {she} [dusted|admired|greeted|hid|washed|counted] [manner] every [day].
- In {her} [cosy] [room] {hero} kept {a_look} {thing}, and even {her} [mood] [pet] admired it.
- {hero} went nowhere without {a_look} {thing}, a present from {her} [trait] [kin].
""",

# Lost and found.
"loss": """
- One [weather] [time] {hero} took the {thing} to the {place}, and it fell out of {her} [worn] [bag].
- Then, one [weather] [time], {she} came home from the {place} with an empty [bag].
- But one [weather] [time], at the {place}, {hero} looked into {her} [bag] and found only a [worn] [junk].
""",
"cry": """
- "My {look} {thing} is gone!" [sobbed|gasped|cried|groaned|wailed|sighed] {hero}, and {her}
  [hands|knees|voice|chin|lip|shoulders] [shook|trembled].
- "{friend}, my {look} {thing} is [gone|lost|missing]," [said] {hero}, and a [large|slow|round|warm|salty|silent] tear fell
  on {her} [clothes].
- {hero} [moved] to {friend}. "Help me find my {look} {thing}!" {she} [sobbed|gasped|cried|groaned|wailed|sighed].
""",
"reply": """
- "Then we will look until [sunset|midnight|supper|sunrise|bedtime|breakfast]," [replied] {friend} [manner], and {she2} [did].
- {friend} put down {her2} [junk] and [said] [manner], "Lost things are only [waiting|resting|hiding|dreaming|sleeping|playing]."
- "Dry your eyes," [replied] {friend} [manner], "for I once found a lost [pet] in a [haystack|snowdrift|puddle|pudding|ditch|hedge]."
- They asked the [crowd] by the [landmark], and {friend} asked a [mood] [pet], but nobody had seen it.
""",
"found": """
- When the [owls|bells|stars|foxes|crickets] woke, {friend} looked {spot}, and there, beside a [worn] [junk], lay the {look} {thing}.
- Then a [mood] [pet] led {friend} past the [landmark], and {spot} {she2} found the {look} {thing}.
- "Look {spot}!" [said] {friend} [manner] by the [landmark]. "Your {look} {thing}!"
""",
"how": """
- "Who would look {spot}?" asked {hero} [manner]. "{A_job2}," [replied] {friend}, and {she2} [did].
- "I am {a_job2}," [said] {friend} [manner], "and {a_job2} always looks {spot}."
- {hero} [did] and left a [worn] [junk] {spot} as thanks.
""",
"joy": """
- {hero} hugged {friend} so [manner] that {her2} [clothes] fell off.
- {hero} hugged the {thing} and {friend}, and {she} [moved] [count] times round the [landmark].
- "You are the best {job2} in {town}," [said] {hero} [manner], and {friend} [did].
""",

# A trade of presents.
"birthday": """
- "My birthday is on [day]," [said] {friend} [manner], "and I want {a_goods}."
- On [day] {friend} would have a birthday, and all [season] {she2} had wished for {a_goods}.
- {friend}'s birthday came with the [weather] [season], and {she2} [manner] asked for {a_goods}.
""",
"shop": """
- {elder} had {a_goods} in a [cosy] shop by the {place}, for [count] [metal] coins.
- {elder} sold such things by the {place}, but {hero} had only a [worn] [junk].
- {hero} found {a_goods} in a [cosy] shop by the {place}, but {elder} wanted [count] coins.
""",
"offer": """
- "I have no [metal] coins," {hero} told {elder} [manner], "but I have {a_look} {thing}."
- "Would {a_look} {thing} do?" {hero} asked [manner], and {elder} [did].
- {hero} [sighed|swallowed|blinked|trembled|coughed|bowed] and [manner] gave {elder} the {look} {thing} for it.
""",
"unwrap": """
- {friend} saw the {goods} and [moved] [count] times round the [table|stove|chair|lamp|cat|bed].
- "My own {goods}!" [said] {friend} [manner], and {she2} [moved] round the [room].
- {friend} was so happy with the {goods} that {she2} [moved] into the [room] in one [clothes].
""",
"cover": """
- "Where is your {look} {thing}?" asked {friend}. "{elder} has it," [replied] {hero} [manner], and {friend} [did].
- "You gave {elder} your {look} {thing} for me?" [said] {friend} [manner], and {hero} [did].
- {friend} had sewn a [fabric] cover for the {thing}, but {elder} had it now, and they [did] [manner].
""",
"return": """
- On [day] {elder} brought back the {look} {thing}. "Pay me in [taste] [dish]," [said] {elder} [manner].
- But by [day] the {look} {thing} was back on {hero}'s doorstep in {elder}'s [worn] [bag].
- "Take your {look} {thing}," {elder} told {hero} on [day], and {elder} [did] [manner].
""",

# A promise kept.
"entrust": """
- One [weather] [time] at the {place}, {friend} gave {hero} {a_look} {thing} to guard until {until}.
- "Will you guard my {look} {thing} until {until}?" asked {friend} [manner] at the {place} one [weather] [time].
- "I must sail away until {until}," [said] {friend} [manner] at the {place}, and {she2} gave {hero} {a_look} {thing}.
""",
"vow": """
- "I promise by the [moon|stars|sea|river|wind|sun]," [replied] {hero} [manner].
- {hero} promised [count] times and waved {her} [clothes] until {friend} was gone.
- "Until {until}," [replied] {hero} [manner], and {she} hid the {thing} in the [room].
""",
"tempt": """
- Soon {elder} offered {him} [count] [metal] [coins|plates|rings|bells|cups|buttons] for the {look} {thing}.
- "Sell me that {thing}," [said] {elder} [manner], "for [count] [mood] [pigs|cows|horses|camels|goats|geese]."
- Every [day] {elder} [manner] begged for the {look} {thing} for a [wedding|picnic|parade|concert|party|feast|dance|play].
""",
"refuse": """
- "It waits for {friend} until {until}," {hero} told {elder} [manner].
- "Not for all the [riches] in {town}, {elder}," [replied] {hero} [manner].
- "Take my [clothes], {elder}, but the {thing} is {friend}'s," [replied] {hero} [manner].
""",
"waiting": """
- At last {until} came, and {hero} [moved] [manner] to the {place} with the {thing}.
- When {until} came, there stood {hero} at the {place}, [weary] but [trait].
- Slowly {until} came, and {hero} waited at the {place} with [taste] [dish] and the {thing}.
""",
"back": """
- "You kept my {look} {thing}!" [said] {friend} [manner], waving {her2} [clothes].
- Past the [landmark] came {friend}, [thinner|browner|taller|older|merrier|richer], and {she2} saw the {look} {thing} and [did].
- {friend} came back with a [bag] of [shells|spices|stories|feathers|maps|seeds|pearls|songs], saw {her2} {look} {thing} and [did].
""",
"thanks": """
- "A promise is a promise," [replied] {hero} [manner], and {friend} gave {him} a [metal] [junk].
- "Only {a_job} would wait until {until}," [said] {friend} [manner], and {hero} [did].
- "{A_job} from {town} keeps {her} word," [said] {friend} [manner] and gave {him} a [metal] [junk].
""",

# Counting and sharing.
"pick": """
- One [weather] [time] {hero} picked {left} {fruit} behind the {place} and put them in {her} [worn] [bag].
- One [weather] [time] {hero} came [doing] from the {place} with {left} {fruit} in {her} [bag].
- On [day] {hero} found {left} [ripe|round|shiny|sweet|fat|heavy] {fruit} in a [worn] [bag] behind the {place}.
""",
"join": """
- "And I have {right} {fruit}," [said] {friend} [manner] by the [landmark].
- Along came {friend}, [doing], with {right} {fruit} in {her2} [cloth].
- By the [landmark] {she} met {friend}, who had {right} {fruit} in {her2} [cloth].
""",
"add": """
- "{Left} {fruit} and {right} {fruit} make {total} {fruit}," [said] {hero} [manner].
- By the [landmark] they counted [manner]: {left} {fruit} and {right} {fruit} make {total} {fruit}.
- {hero} [did] and counted [manner]: {left} {fruit} and {right} {fruit} make {total} {fruit}.
""",
"hungry": """
- Just then {elder} came by, [weary] after a [count] days' [walk|journey|illness|march].
- By the [landmark] sat {elder} with nothing to eat but a [worn] [crust|onion|turnip|carrot|biscuit|bone].
- "I have eaten nothing since [day]," [said] {elder} [manner], sitting down by the [landmark].
""",
"give": """
- {hero} looked at {friend}, {friend} [did] [manner], and they gave {elder} all {total} {fruit}.
- "Take all {total} {fruit}, {elder}," [said] {hero} [manner], and {friend} [did].
- They put the {total} {fruit} into {elder}'s [worn] [bag], and {friend} [did].
""",
"reward": """
- {elder} ate [manner], [did] and gave them {a_look} {thing} in return.
- "Then you must have this," [said] {elder} [manner], and out of a [worn] [bag] came {a_look} {thing}.
- "{Total} {fruit} deserve {a_look} {thing}," [said] {elder} [manner], and {hero} [did].
""",

# A race.
"announce": """
- One [weather] [time] {elder} announced a race to the {place}, and the prize was {a_look} {thing}.
- "First to the {place} wins {a_look} {thing}!" {elder} told the [crowd] [manner] on [day].
- A [worn] poster said: on [day] a race to the {place}, and {elder} gives {a_look} {thing}!
""",
"boast": """
- "That {thing} is mine," [said] {hero} [manner]. "Not if {a_job2} runs," [replied] {friend} [manner].
- "No {job2} can catch me," [said] {hero} [manner]. "No {job} can catch me," [replied] {friend} [manner].
- {hero} ate [count] plates of [taste] [dish], {friend} threw off {her2} [clothes], and off they [moved].
""",
"trouble": """
- By the [landmark] {hero} heard a [small|thin|sad|frightened|hoarse|lonely] cry: {a_beast} was stuck in the [mire].
- {hero} was first at the [landmark], but there lay {a_beast} in the [mire], [weary] and [muddy|lost|lonely|scared].
- Past the [landmark] {hero} [moved], and almost fell over {a_beast} in the [mire].
""",
"turn": """
- "Hold still, little {beast}," [said] {hero} [manner], and {she} wrapped it in {her} [cloth].
- "The {look} {thing} can wait," [said] {hero} [manner], and {she} knelt in the [mire].
- {hero} could see the {place}, but {she} [manner] gave the {beast} {her} [cloth].
""",
"help": """
- {friend} could have won, but {she2} [did] and [saved] the {beast} out with {her2} [cloth].
- "You will lose!" [said] {hero} [manner]. "So will you," [replied] {friend}, and {she2} [saved] the {beast} out.
- Then {friend} stopped too, and they [manner] [saved] the {beast} out by the [ears|legs|middle|shoulders].
""",
"finish": """
- They came to the {place} last of all, [weary] and [doing], with the {beast} in a [cloth].
- The [crowd] had gone when {hero} and {friend} [manner] carried the {beast} to the {place}.
- {hero}, {friend} and the {beast} [moved] [manner] to the {place}, [count] hours late.
""",
"prize": """
- "The {look} {thing} goes to those who save {a_beast}," [said] {elder} [manner], and {friend} [did].
- "You ran for {a_beast}, not for {a_thing}," [said] {elder} [manner]. "Now the {thing} is yours."
- But {elder} [did] and gave {hero} the {look} {thing}. "For one {beast}," [said] {elder} [manner].
""",

# A storm.
"flock": """
- {friend} had {left} {flock} on the hill and {right} [mood] {flock} by the [landmark].
- That [season] {friend} led {left} {flock} up the hill and {right} {flock} to the [landmark].
- On the hill {friend} kept {left} [mood] {flock}, and by the [landmark] {right} [mood] {flock}.
""",
"storm": """
- One [day] the sky turned [black|purple|green|grey|yellow|brown] and a storm [roared|howled|crashed|rolled|broke|swept] over the
  {place}.
- One [weather] [time] the wind began to [howl|roar|moan|scream|growl|sing], and rain beat on the {place} like
  [drums|pebbles|hooves|fists|hammers|arrows].
- All [day] a storm [roared|howled|crashed|rolled|broke|swept] over the {place}, and the [crowd] hid in their [house].
""",
"missing": """
- "{friend} is outside with the {flock}!" [said] the [crowd], and {hero} put on {her} [clothes].
- {hero} saw no {flock} and no {friend}, only a [worn] [junk] [flying|rolling|spinning|sailing] past the [landmark].
- "Where is {friend}?" asked the [crowd]. "Out with the {flock}," [replied] {hero} [manner].
""",
"sign": """
- {She} tied the {look} {thing} to the roof of the {place} with {her} [fabric] [belt|scarf|bootlace|braces|ribbon|hood].
- {She} climbed on to the {place}, [weary] but [trait], and hung up the {look} {thing}.
- {She} [moved] to the {place} and waved the {look} {thing} [manner] from the roof.
""",
"seen": """
- Far away {friend} saw the {look} {thing} and led {her2} [mood] {flock} past the [landmark].
- "That is {hero}'s {look} {thing}!" [said] {friend} [manner], and {she2} [moved] home with the {flock}.
- Through the [rain|wind|dark|thunder] {friend} saw the {look} {thing}, [did] and turned the [mood] {flock} round.
""",
"tally": """
- By the [landmark] they counted [manner]: {left} {flock} and {right} {flock} make {total} {flock}.
- "{Left} {flock} and {right} {flock} make {total} {flock}," [said] {friend} [manner].
- {friend} [did] and counted [manner]: {left} {flock} and {right} {flock} make {total} {flock}.
""",
"safe": """
- "All {total} {flock} are here," [said] {friend} [manner], "thanks to {a_job} and {a_thing}."
- "I followed your {look} {thing}," {friend} told {him} [manner], "and {total} {flock} followed me."
- They gave the {total} [mood] {flock} [taste] [dish], and {hero} dried the {thing} [manner].
""",

# A secret told to one friend but not to another.
"door": """
- One [weather] [time] {hero} found a [cosy] room behind the {place}, with {a_look} {thing} in it.
- {hero} opened a [worn] door behind the {place} one [weather] [time] and saw {a_look} {thing}.
- Behind a [worn] door at the {place} {hero} found a [cosy] room with {a_look} {thing}.
""",
"choose": """
- "The secret word for the door is {word}," {hero} told {friend} [manner], "but never tell {elder}."
- {She} told {friend}, but not {elder}, who [talked|laughed|whistled|boasted|gossiped|shouted] too much, the secret word: {word}.
- On a [worn] [junk] {she} wrote the secret word {word} for {friend}, but not for {elder}.
""",
"ask": """
- "I will give you [taste] [dish] for the word, {friend}," [said] {elder} [manner].
- {elder} stopped {friend} at the [landmark]. "Is the word [wrong]?" asked {elder} [manner].
- "What is behind the {place}?" {elder} asked {friend} every [day]. "Is the word [wrong]?"
""",
"refusal": """
- "{A_job2} can keep a secret, {elder}," [replied] {friend} [manner].
- But {friend} only [did] and [replied] [manner] that {she2} had forgotten.
- "{hero} trusts me," {friend} told {elder} [manner], and {she2} [did].
""",
"knock": """
- On [day] came [count] knocks in the [rain|snow|wind|fog|dark|moonlight]. "{Word}," [said] {friend} [manner], and {hero} opened.
- {elder} knocked and [said] "[wrong]," but in vain. Then {friend} [said] "{word}," and {hero} opened [manner].
""",
"inside": """
- By the light of a [worn] [candle|lamp|torch|stove] they admired the {look} {thing}, and {friend} [did].
- They sat by the {look} {thing}, ate [taste] [dish] and kept the word {word}.
- "See my {look} {thing}," [said] {hero} [manner], and {friend} took off {her2} [clothes].
""",

# A wish.
"wish": """
- Every [day] {hero} told {her} [trait] [kin], "Some day I will {wish}."
- All [season] {hero} told the [crowd] [manner] that {she} would {wish}.
- In a [worn] diary {hero} wrote [manner] every [day], "I will {wish}."
""",
"scoff": """
- "{A_job} cannot {wish}," [said] {elder} [manner], and the [crowd] [did].
- The [crowd] [did], and {elder} [said] [manner] that no {job} could {wish}.
""",
"meet": """
- "Come to the {place} on [day] with your {look} {thing}," {she2} told {him} [manner].
- "Bring your {look} {thing} and a [bag] to the {place} on [day]," [said] {friend} [manner].
- {friend} [did]. "Meet me at the {place} on [day] with your {look} {thing}," {she2} [said].
""",
"journey": """
- From the {place} they walked [count] days through [forests|swamps|snow|sand|cornfields|fog], [doing], with the {look} {thing}.
- They left the {place} with the {look} {thing}, [count] [loaves|onions|blankets|candles|apples|lemons] and a [mood] [pet].
""",
"remind": """
- On a [worn] [stone|log|stump|bench] {hero} sat down. "Come and {wish}," [said] {friend} [manner].
- "I am too [tired|hungry|cold|sleepy|old|small] to {wish}," [said] {hero}. "Never," [replied] {friend} [manner].
- When {her} [clothes] blew away {hero} sat down. "Come and {wish}," [said] {friend} [manner].
""",
"fulfil": """
- On a [weather] [time] {hero} {wished} at last, and {friend} [did] [manner].
- Next [day] {hero} {wished}, and {friend} [did] until {her2} [clothes] fell off.
- And so {hero} {wished}, [trait] and [doing], while {friend} [did].
""",
"home": """
- Back in {town} {elder} asked [manner], "Did you {wish}?" "I {wished}," [replied] {hero}.
- "{A_job} can {wish} after all," {friend} told {elder} [manner], and {elder} [did].
- "{hero} {wished}!" {friend} told {elder} and the [crowd], and {elder} [did] [manner].
""",

# How every story ends.
"ending": """
- From that day on, {hero} and {friend} met at the {place} every [day] and shared [taste] [dish].
- If you ever come to {town}, look for the {job} and the {job2} at the {place}, [doing] like [mood]
  [kettles|children|sparrows|kings|geese|pirates|kittens|monkeys].
- In {town} the [crowd] still tell the story of {hero}, {friend} and the {look} {thing} on [weather] [season] nights.
- That night {hero} slept [manner] and dreamed of {friend}, the {place} and a [mood] [pet].
- "A friend who [waits|listens|laughs|stays|shares|sings|helps|understands] is worth more than [riches]," [said] {hero}, and {friend}
  [did].
- As for the {look} {thing}, {hero} and {friend} kept it in a [cosy] [room] in {town} and [dusted|admired|greeted|visited] it every [day].
""",
}
