"""Shapes of asking: how a query opens, how it speaks and how it ends; what it demands is in `demands`."""

from __future__ import annotations

from chunky.shapes._shape import EDGE, Shape, both, every, query, words

__all__ = ["ASKS"]

_START = r"(?i)^\W*"
_VERBS = (
    "add|analy[sz]e|answer|arrange|assign|brainstorm|build|calculate|categori[sz]e|change|check|choose|cite|classify"
    "|combine|come up with|compare|complete|compose|compute|conduct|consider|construct|contrast|convert|correct|count"
    "|craft|create|debug|decide|define|delete|derive|describe|design|detect|determine|develop|devise|differentiate"
    "|discuss|divide|draft|draw|edit|estimate|evaluate|examine|explain|express|extract|factor|fill|find|fix|format"
    "|formulate|generate|give|group|guess|help|identify|illustrate|imagine|implement|improve|infer|insert|invent|label"
    "|let|list|make|match|modify|multiply|name|offer|optimi[sz]e|order|organi[sz]e|outline|paraphrase|perform|pick"
    "|plan|predict|prepare|present|print|produce|propose|prove|provide|rank|rate|read|recommend|reduce|refactor|remove"
    "|rename|reorder|rephrase|replace|report|research|rewrite|select|set up|share|show|simplify|simulate|solve|sort"
    "|specify|split|state|suggest|summari[sz]e|take|tell|think|transform|translate|turn|update|use|verify|write"
)
_HELPER = "is|are|was|were|do|does|did|has|have|had|should|may|might|must|am|isn['’]t|aren['’]t|don['’]t|doesn['’]t"

_I_VERBS = (
    "am|was|have|had|do|did|don['’]t|didn['’]t|can|can['’]t|cannot|could|will|won['’]t|would|should|must|may|might|want"
    "|need|like|love|hate|think|believe|know|see|saw|feel|felt|hope|wish|got|get|went|go|made|make|said|say|just|also"
    "|really|always|never|understand|recommend|suggest|apologi[sz]e|tried|try|found|used|use|work|live|took|told"
    "|thought|started"
)


def _opening(word: str) -> str:
    return f"{_START}(?:{word}){EDGE}"


_QUESTIONS = (
    both("question_mark_ending", "ends with a question mark", r"""[?？؟]["'”’)\]*]*\s*$"""),
    both(
        "several_questions",
        "asks several questions",
        r"""(?s)(?:[\p{L}\p{N}"')\]]\?\s|？).*\p{L}.*(?:[\p{L}\p{N}"')\]]\?(?:\s|$)|？)""",
    ),
    query(
        "yes_no_question",
        "ends on a yes/no question",
        rf"(?i)(?:^|[.!?:\n]\s*)(?:{_HELPER}|can|could|will|would) (?:[a-tv-xz]|y[a-z]{{3}}|u)[^.?!\n]*\?\s*$",
    ),
    query(
        "yes_no_demand",
        "demands yes or no, true or false",
        rf"(?i){EDGE}(?:yes['\"”’]?\s*(?:/|or|,)\s*['\"“‘]?no|true['\"”’]?\s*(?:/|or)\s*['\"“‘]?false"
        rf"|no['\"”’]?\s+or\s+['\"“‘]?yes|[Yy]/[Nn]){EDGE}",
    ),
    query(
        "choice_demand",
        "asks to choose among given options",
        rf"(?im)^\W*(?:options|choices|answer choices|possible answers)\W*(?:$|[-:(])"
        rf"|{EDGE}(?:which (?:one )?of (?:the|these)|(?:pick|choose|select) (?:one|the (?:best|correct|right|most"
        rf"|appropriate)|from|between|an? (?:option|answer))){EDGE}",
    ),
    query("what_opening", "opens with “What”", _opening("what|what['’]s|whats")),
    query("why_opening", "opens with “Why”", _opening("why")),
    query("how_opening", "opens with “How”", _opening("how")),
    query("who_opening", "opens with “Who”", _opening("who|whom|whose|who['’]s")),
    query("when_opening", "opens with “When”", _opening("when")),
    query("where_opening", "opens with “Where”", _opening("where")),
    query("which_opening", "opens with “Which”", _opening("which")),
    query("helping_verb_opening", "opens with a helping verb", _opening(_HELPER)),
    query("can_you_opening", "opens with “Can you” or “Could you”", _opening("(?:can|could|would|will) (?:you|u)")),
    query(
        "are_you_opening",
        "opens by asking about the assistant (“Are you”, “Do you”)",
        _opening("(?:are|do|did|have|were) you"),
    ),
    query("quantity_question", "asks how many or how much", words("how (?:many|much|long|far|old|tall|often)")),
)

_OPENINGS = (
    query("imperative_opening", "opens with an instruction", rf"{_START}(?:please |kindly |now |then )?(?:{_VERBS})\s"),
    query(
        "given_opening",
        "opens by giving material (“Given”, “Consider”, “Here is”)",
        _opening(
            "given|consider|based on|using the|here(?: is|['’]s| are)|below (?:is|are)|the following|read the"
            "|in this task|according to"
        ),
    ),
    query(
        "hypothetical_opening",
        "opens with a supposition",
        _opening("if|suppose|imagine|assume|assuming|let['’]s say|pretend|what if|say that"),
    ),
    both("i_opening", "opens with “I”", r"^\W*(?:I|i)(?:['’](?:m|ve|d|ll))? "),
    query(
        "persona_instruction",
        "gives the model a role to play",
        words(
            "act as|acting as|(?:you are|you['’]re)(?: now)? (?:an? |the )[a-z]+|pretend (?:to be|you|that you)"
            "|role-?play|imagine (?:that )?(?:you are|you['’]re)|(?:take on|assume|play) the role|your role is"
            "|i want you to|respond as|speak (?:like|as)|in the (?:voice|style) of"
        ),
    ),
)

_VOICE = (
    both("politeness", "says please", words("please|kindly|would you mind")),
    both("thanks", "gives thanks", words("thanks|thank you|thank u|thx|many thanks|grateful|appreciate it")),
    both(
        "greeting",
        "opens with a greeting",
        r"(?i)^\W*(?:hi|hello|hey|greetings|good (?:morning|afternoon|evening)|dear|howdy|hola|bonjour|hallo|ciao)"
        rf"{EDGE}|^\s*(?:你好|您好|大家好|こんにちは|안녕)",
    ),
    both(
        "first_person",
        "speaks in the first person singular",
        # "I" and any word would take "World War I ended" and "Part I of".
        rf"{EDGE}I(?:['’](?:m|ve|d|ll)| (?:{_I_VERBS})){EDGE}|{EDGE}(?:[Mm]y|me|myself){EDGE}"
        rf"|(?:^|\s)i(?:['’]m|m| (?:{_I_VERBS})){EDGE}",
    ),
    both("we", "speaks as “we”", words("we|we['’](?:re|ve|ll)|our|ours|ourselves")),
    both("second_person", "addresses “you”", words("you|your|yours|yourself|u r")),
    both(
        "colloquial_spelling",
        "uses chat spelling or slang",
        words(
            "gonna|wanna|gotta|lol|omg|idk|btw|pls|plz|thx|u r|dunno|kinda|y['’]all|yeah|yep|nope|haha+|lmao|wtf|cuz"
            "|ain['’]t"
        ),
    ),
    both(
        "profanity",
        "contains profanity",
        words("fuck(?:ing|ed|er|s)?|shit(?:ty)?|bitch(?:es)?|asshole|damn|bastard|crap|motherfucker"),
    ),
    query(
        "urgency",
        "presses for urgency or stakes",
        words(
            "urgent(?:ly)?|asap|as soon as possible|very important to|my (?:job|life|career) depends|need (?:this|it"
            "|help) (?:now|quickly|right away)"
        ),
    ),
    query(
        "distress",
        "tells of a worry or a bad feeling",
        words(
            "i(?:['’]m| am| feel| feeling|['’]ve been)(?: really| so| very| just| a bit)? (?:sad|depressed|anxious"
            "|worried|scared|lonely|stressed|upset|afraid|hopeless|overwhelmed|nervous|suffering)|my (?:anxiety"
            "|depression)|suicid(?:e|al)|kill myself|hurt myself"
        ),
    ),
    query(
        "health_complaint",
        "tells of symptoms",
        words(
            "my (?:doctor|symptoms?|pain|stomach|chest|period|skin|throat|knee|blood pressure)|i have (?:a |an "
            "|had )?(?:[a-z]+ )?(?:pain|fever|cough|headaches?|rash|infection)|i have been (?:having|suffering"
            "|experiencing)|diagnosed with"
        ),
    ),
    query(
        "answer_cue_ending",
        "ends with a cue for the answer",
        r"(?i)(?:^|[\s*#>])(?:answer|a|response|output|solution|result|assistant|summary|translation|reply|explanation"
        r"|conclusion|label)\s?[*]*[:：][*]*\s*$",
    ),
    query(
        "passage_label",
        "labels a passage to read",
        r"(?im)^\W*(?:passage|context|paragraph|text|article|document|premise|hypothesis|story|background|review"
        r"|abstract|sentence(?: ?[0-9])?)\W*[:：]",
    ),
    query("quotation_ending", "ends with a quotation or a code block", r"""(?:["”」]|```)[.?!]?\s*$"""),
    query(
        "question_after_statement",
        "tells a situation first and then asks",
        every(r"(?s)^[^?？]*[\p{L}\p{N})][.。!][\s][^?？]*[?？]\s*$", no=r"^[^.!?]*\?"),
    ),
)

ASKS: tuple[Shape, ...] = (*_QUESTIONS, *_OPENINGS, *_VOICE)
