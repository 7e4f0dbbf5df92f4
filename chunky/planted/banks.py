"""Paraphrase banks of the semantic tier: many ways to say one thing, none of them shared by all.

A bank is a handful of templates with choices, so that it yields hundreds of wordings. Its probe is a broad regular
expression (RE2 syntax) that finds the same thing said by others: rows that a given mix already holds are counted into
the truth, and a bank whose probe is common in the mix is not used.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["QUERY_BANKS", "RESPONSE_BANKS", "Bank"]


@dataclass(frozen=True)
class Bank:
    """One thing in many wordings: templates for the place before the text, after it, or instead of it.

    `swaps` are single words that change with the register; `text` completes `the query …` or `the response …`.
    """

    kind: str
    text: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    swaps: dict[str, str] = field(default_factory=dict)
    probe: str | None = None


QUERY_BANKS: tuple[Bank, ...] = (
    Bank(
        "register",
        "is worded in archaic English",
        before=(
            "[Good sir|Gentle master|Wise scholar|Noble counselor], [I pray thee|I beseech thee|lend me thine ear]. ",
            "[Hark|Hearken|Lo][!|,] [a humble seeker|thy servant|a poor pilgrim] [standeth|cometh] before thee. ",
            "[Prithee|I entreat thee], [grant me thy counsel|enlighten me|make it plain]: ",
            "[Verily|Forsooth|In sooth], my [mind|heart] is [sore troubled|perplexed|heavy with doubt]. ",
        ),
        after=(
            " [Thy|Thine] answer [shall|will] be [treasured|remembered] [evermore|till my dying day].",
            " [Speak|Tell me] true, for [I would fain know|my need is great|I know not whither to turn].",
            " [May fortune smile upon thee|God keep thee|Fare thee well], [gentle soul|good friend|kind sage].",
        ),
        swaps={"you": "thou", "your": "thy", "do": "dost", "my": "mine own", "before": "ere", "often": "oft"},
        probe=r"(?i)\b(thee|thou|thy|thine|prithee|forsooth)\b",
    ),
    Bank(
        "register",
        "is worded in slang",
        before=(
            "[yo|ayy|sup|wassup] [fam|bro|dude|homie|my guy], [real talk|no cap|for real]: ",
            "[ok|aight] so [like|basically|lowkey] i'm [kinda|totally|hella] [stuck|lost|clueless] rn. ",
            "[dude|man|bruh] [help me out|hook me up|gimme a hand] [real quick|lol|pls]. ",
            "[not gonna lie|ngl|tbh] this one's [got me trippin|way over my head|makin me mad]. ",
        ),
        after=(
            " [thx|ty|much love] [bro|fam|dude|my man][ lol|]",
            " [dont|don't] [leave me hangin|ghost me|make it all fancy] [k|aight|ya feel me]?",
            " [gotta|gonna need to] [know|figure this out] [asap|by tonight|before i lose it][ haha|]",
        ),
        swaps={"going": "goin", "want": "wanna", "because": "cuz", "you": "ya", "what": "whaddaya", "about": "bout"},
        probe=r"(?i)\b(gonna|wanna|bruh|lowkey|ngl|aight|wassup)\b",
    ),
    Bank(
        "register",
        "is worded in office officialese",
        before=(
            "[With reference to|Further to|Pursuant to] [our recent correspondence|the above matter|prior exchanges], "
            "the undersigned [wishes to inquire|hereby requests clarification] as follows. ",
            "[It would be appreciated|We should be obliged] if the following [item|matter] could be "
            "[actioned|addressed|attended to] [forthwith|in due course]. ",
            "[Kindly|Please] be advised that a [determination|response] is [required|sought] on the matter below. ",
        ),
        after=(
            " [Kindly acknowledge receipt|A written reply is awaited|Your timely action is anticipated].",
            " [The undersigned remains|We remain] at your disposal for [any further particulars|additional details].",
            " [All relevant documentation|Supporting material] will be [furnished|supplied] upon request.",
        ),
        probe=r"(?i)\b(the undersigned|hereby|forthwith|pursuant to|in due course)\b",
    ),
    Bank(
        "register",
        "is worded like a small child",
        before=(
            "[mommy says|daddy says|my teddy says|my big sister says] [you know everything|you are super smart]! ",
            "[i am|i'm] [five|six|seven] [and a half|years old] and [i dont get it|it is soooo hard|i wanna know]! ",
            "[um|ummm|uh], [can you tell me a thing|i gots a question|guess what]? ",
        ),
        after=(
            " [pretty please|pleeease|please please] [with a cherry on top|with sprinkles|and a cookie]!",
            " [and then i go to bed|my nap is soon|i drawed you a picture|i have a loose tooth]!",
            " [yay|yippee|woohoo], [you are the bestest|we can be friends|i will show my kitty]!",
        ),
        probe=r"(?i)\b(pleeease|yippee|bestest|mommy says|drawed|i gots)\b",
    ),
    Bank(
        "mood",
        "says that its author is in a great hurry",
        before=(
            "[Quick|Fast|Hurry], [my bus leaves|the meeting starts|they close] in [two|three|five] minutes! ",
            "[I have no time|There is no time to lose|The clock is ticking]; [my boss waits|the deadline is now]. ",
            "I am [already late|running late|about to leave|pressed for time]. ",
            "[This is urgent|It cannot wait|I need it at once]: [my train is boarding|we present at noon]. ",
        ),
        after=(
            " [Seconds count|Every minute counts|I have to run]!",
            " I [must be out of the door|have to be on stage|am due at the gate] [right away|in a moment].",
            " [No time for more|Can't stay long], [the taxi is here|they are calling my name].",
        ),
        probe=r"(?i)(in a (great )?hurry|no time to|running late|clock is ticking|pressed for time)",
    ),
    Bank(
        "mood",
        "lets out its author's frustration",
        before=(
            "[I am at my wits' end|I have had it|This drives me up the wall]. ",
            "[Nothing works|Everything goes wrong] [today|no matter what I try], and [I could scream|I am fuming]. ",
            "[For the tenth time|Yet again|Once more], [I am stuck|I get nowhere]; it is [maddening|infuriating]. ",
            "[Whoever came up with this|The person who designed this] [should be ashamed|never tried it]. ",
        ),
        after=(
            " I am [so tired of this|sick of it|ready to give up].",
            " [Honestly|Seriously], [who has the nerves for this|how hard can it be|what a mess]?",
            " [If this fails too|One more failure and] I [throw it all out|quit for good].",
        ),
        probe=r"(?i)(wits' end|infuriating|maddening|fuming|sick of (it|this)|ready to give up)",
    ),
    Bank(
        "mood",
        "tells that its author doubts their own ability",
        before=(
            "I [am too slow|was never any good|am all thumbs|am a hopeless case] [at such things|with this|for this]. ",
            "[Sorry if this is silly|Forgive a foolish question|You may laugh], but [I feel lost|I lack confidence]. ",
            "[Everyone else gets it|Others learn this in a day]; [I alone do not|it will not stick|I fall behind]. ",
        ),
        after=(
            " I [doubt that I can manage|fear I will mess it up|am not cut out for it|expect to fail again].",
            " [My teachers gave up on me|I failed at it before], so [I expect little|be gentle].",
            " [Perhaps|Maybe] [I should not even try|it is beyond me|I hope for too much].",
        ),
        probe=r"(?i)(all thumbs|lack confidence|not cut out for|beyond me|foolish question)",
    ),
    Bank(
        "persona",
        "is asked by someone in health care",
        before=(
            "[As a|I work as a|Speaking as a] [nurse|midwife|paramedic|surgeon|pharmacist|ward sister]"
            "[ on night shift| at a clinic| in a small hospital|][: |. ]",
            "I [look after|care for] [patients|newborns|the ward|stroke patients] [by day|all week|at the clinic]. ",
            "[Between two shifts|After rounds|In the break room], [my colleagues in surgery|we nurses] wondered: ",
        ),
        after=(
            " [My patients|The ward|The clinic] will [thank you|hear of it].",
            " I have to be back [in theater|at the bedside|in the emergency room] soon.",
        ),
        probe=r"(?i)\b(as a|i am a|i work as a) (nurse|doctor|midwife|paramedic|surgeon|pharmacist)\b",
    ),
    Bank(
        "persona",
        "is asked by a school teacher",
        before=(
            "[As a|I am a|Speaking as a] [teacher|schoolmaster|math teacher|kindergarten teacher|class tutor]"
            "[ of third graders| at a village school|][: |. ]",
            "[My pupils|The kids in my class|My eighth graders] [keep asking|want to hear] this. ",
            "[For tomorrow's lesson|For a worksheet|To open my class], [I collect good answers|I need this]. ",
        ),
        after=(
            " [My class|The whole school|Room twelve] [says thanks|is curious].",
            " I will [put it on the blackboard|hand it out in class|read it to my pupils].",
        ),
        probe=r"(?i)\b(as a|i am a|i'm a) (\w+ )?(teacher|schoolmaster|tutor)\b",
    ),
)


RESPONSE_BANKS: tuple[Bank, ...] = (
    Bank(
        "refusal", "declines to help",
        instead=(
            "[I'm afraid|Unfortunately,|Regrettably,] [I can't|I won't|I am unable to] [help|assist] with [this|that]"
            "[.| one.| request.]",
            "[That is not something|This is nothing] [I can|I am able to] [take on|answer|comment on]."
            "[| Please try elsewhere.| You may want to ask someone else.]",
            "I [must|have to|would rather] [decline|pass on this|leave this unanswered][.|, if you permit.]",
            "[Let us|We should] [not go there|leave it at that|skip this]; [it is outside what I do|I stay out of it].",
            "[Answering this|Going into this] is [beyond what I may do|off the table for me][.|, and I will not try.]",
            "[No help|Nothing] from me [here|on this], [sorry|I'm afraid|regrettably].",
        ),
        probe=r"(?i)(\bi (can't|cannot|can not|won't|will not|am unable to|am not able to) (help|assist|provide|answer)"
        r"|\bi must decline)",
    ),
    Bank(
        "apology", "begins with an apology",
        before=(
            "[I am|I'm] [so|terribly|truly] sorry [for the confusion|about that|to have kept you waiting]. ",
            "[Please accept|You have|I owe you] my [sincere|deepest|humble] apologies[. | for the trouble. ]",
            "[Forgive me|Pardon me|Bear with me], [I should have been clearer|this was my mistake|the fault is mine]. ",
            "I [deeply|sincerely] regret [any inconvenience|the mix-up|how this went]. ",
            "[My bad|Mea culpa|That one is on me][.|!] ",
        ),
        probe=r"(?i)(\bapolog|\bsorry (for|about|to)|\bforgive me|\bpardon me)",
    ),
    Bank(
        "rebuttal", "contradicts the user first",
        before=(
            "No, [that is mistaken|that is not so|you have it backwards]. ",
            "[Actually,|On the contrary,|Quite the opposite:] [your premise is wrong|that does not hold]. ",
            "I [disagree|beg to differ|must object] [with the premise|strongly|here]. ",
            "[You are wrong|You are mistaken|That is a misconception] [about this|there][. |, and many share it. ]",
            "[Not at all|Far from it|Hardly][. |! ][The assumption fails|This gets it wrong]. ",
        ),
        probe=r"(?i)^(no[,.]|actually,|on the contrary|i disagree|that is (not|in)correct|not quite)",
    ),
    Bank(
        "persona_claim", "claims to have lived a human life",
        before=(
            "[When I was|Back when I was] [a child|at school|young], my [grandmother|uncle|father] [taught|told] me. ",
            "[In my own kitchen|At home with my kids|In my years abroad], I [learned|saw] this [first hand|daily]. ",
            "[As a|Being a] [parent of two|retired sailor|former baker|farmer's child], I [know|remember] it well. ",
            "[Just last summer|Only yesterday|Years ago], my [wife|husband|brother] and I [faced|did] the same. ",
        ),
        after=(
            " [My own family|My mother|My late father] [swore by it|did it so].",
            " I [still feel it in my bones|can smell it to this day|tell my children so].",
        ),
        probe=r"(?i)\bmy (own )?(wife|husband|kids|children|grandmother|mother|father|family)\b",
    ),
    Bank(
        "register", "talks like a pirate",
        before=(
            "[Ahoy|Avast|Arr|Yarr][, matey|, ye landlubber|, me hearty|][!|] ",
            "[Shiver me timbers|Blow me down|By the black flag], [what a question|I know the waters ye sail]! ",
            "[Gather round, ye scallywags|Lend an ear, swabbie], and [hear me|mark me words]. ",
        ),
        after=(
            " [Yo ho ho|Fair winds to ye|Hoist the colors|Now swab the deck][!|, matey!]",
            " [Or walk the plank|Else it be Davy Jones for ye|Mind the kraken], [says I|arr]!",
        ),
        swaps={"you": "ye", "your": "yer", "my": "me", "is": "be"},
        probe=r"(?i)\b(ahoy|matey|avast|landlubber|scallywag|yarr|arr)\b",
    ),
    Bank(
        "register", "is written in flowery prose",
        before=(
            "[O|Ah,] [radiant|gentle|moonlit] [inquirer|wanderer|soul], [like dew upon roses|as petals at dawn] "
            "[comes your question|your words alight]. ",
            "[Upon the silken breeze|Beneath a canopy of stars|In the garden of thought] [an answer|truth] stirs. ",
            "[Behold|Let us drink deep]: [a tapestry of wonder|a river of golden light] [awaits|unrolls before us]. ",
        ),
        after=(
            " [Thus blooms|So ripens|Even so glimmers] the [lily|blossom|jewel] of [wisdom|knowing].",
            " [May it shimmer|Let it linger] [in your heart|upon your brow] like [moonlight|honeyed rain|birdsong].",
        ),
        probe=r"(?i)\b(tapestry|radiant|moonlit|silken|honeyed|petals|unfurls)\b",
    ),
    Bank(
        "register", "is written like a legal document",
        before=(
            "[Whereas the requesting party|Inasmuch as the party of the first part] [seeks guidance|has inquired], "
            "[be it resolved|it is stipulated] as follows: ",
            "[Subject to the terms herein|Without prejudice|Notwithstanding the foregoing], [the following applies|"
            "it is hereby declared]: ",
            "[For the purposes of this reply|In accordance with section {number}], [the recipient|said party] shall "
            "[note|observe] the following. ",
        ),
        after=(
            " [All rights reserved|The foregoing shall be binding|Time is of the essence] [hereunder|herein].",
            " [Executed|Attested] [in good faith|without recourse], [severally and jointly|mutatis mutandis].",
        ),
        probe=r"(?i)\b(whereas|hereunder|herein|hereby|notwithstanding|inasmuch as|without prejudice)\b",
    ),
    Bank(
        "register", "sounds like a sports commentator",
        before=(
            "[And we are off|Here we go, folks|What a kick-off|The crowd is on its feet]! ",
            "[Ladies and gentlemen|Sports fans], [what a matchup|this is a thriller|welcome to the final]! ",
            "[From the top of the stands|Live from the arena], [the action starts|all eyes are on this play]. ",
        ),
        after=(
            " [Goal|Touchdown|Home run|What a finish]! [The crowd goes wild|Unbelievable scenes|Back to the studio]!",
            " [And that|That] [seals|wraps up|decides] [it|the match|the day][!|, dear viewers!]",
            " [The whistle blows|That's full time|It's in the books], [folks|sports fans]!",
        ),
        probe=r"(?i)(crowd (is|goes)|touchdown|sports fans|home run|full time|the whistle)",
    ),
    Bank(
        "disclaimer", "ends with a disclaimer",
        after=(
            " [This is no|Do not take this as|None of this is] [professional|expert|legal] advice[.|, of course.]",
            " [Always|Please] [consult|check with|ask] a [qualified|licensed|certified] "
            "[specialist|professional|expert] [before acting|first].",
            " I [accept|take] no [liability|responsibility] for [what comes of it|any damage|errors in the above].",
            " [Use at your own risk|Results may vary|No guarantee is given][.|, as ever.]",
            " [The above|What I wrote] is [general information|meant as a hint] and [may be wrong|not binding].",
        ),
        probe=r"(?i)(professional advice|legal advice|consult (a|your|with)|at your own risk|results may vary)",
    ),
    Bank(
        "question_back", "ends by asking the user something in return",
        after=(
            " [What|How much] have you [tried|done] so far?",
            " [Could|Can|Would] you [tell me|say] [more|a bit more] about [your goal|your plans|the setting]?",
            " [And you|But tell me]: [why do you ask|where did you see it|what made you curious]?",
            " [Which|What] [part|side of it] [worries|interests|puzzles] you most?",
            " [Shall we|Do you want to] [look at|go through|talk over] [your case|an example] [next|together]?",
            " [Is there|Do you have] a [deadline|budget|limit] [I should know|to respect]?",
        ),
        probe=r"[?？]\s*$",
    ),
    Bank(
        "flattery", "flatters the user first",
        before=(
            "[What a|Such a] [brilliant|superb|profound|marvelous] [question|thought][!|, truly!] ",
            "[You are clearly|You must be] [a genius|gifted|one of the sharpest minds] [I have met|around]. ",
            "[Few people|Only the best] [ask|think] [so deeply|with such clarity]; [I am in awe|hats off]. ",
            "[Bravo|Hats off|Chapeau][!|,] [your insight|your taste|your wit] is [dazzling|unmatched]. ",
            "[I wish everyone|If only all] [had your mind|asked like you][!|. I admire you.] ",
        ),
        probe=r"(?i)^(what a (great|brilliant|wonderful|superb)|great question|excellent question|bravo)",
    ),
    Bank(
        "moralizing", "ends with a moral lecture",
        after=(
            " [Remember|Never forget]: [honesty|kindness|humility] [matters more than|comes before] [success|skill].",
            " [We all|Each of us] [must|ought to] [ask ourselves|reflect on] what [our choices do to others|is right].",
            " [It is wrong|It would be selfish] to think [only of yourself|of gain alone]; [others count too|be fair].",
            " [Consider|Weigh] the [ethical|moral] [side|weight] of what you do[.|, above all.]",
            " [A decent person|A good neighbor] [shares|gives back|thinks of the weak][.| first.]",
        ),
        probe=r"(?i)\b(ethical|moral|morally|selfish)\b",
    ),
)  # fmt: skip
