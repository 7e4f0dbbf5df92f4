"""Shapes of asking: how a query opens, what it demands, how it speaks, and how it ends."""

from __future__ import annotations

import polars as pl

from chunky.shapes._shape import EDGE, Shape, both, every, query, words

__all__ = ["ASKS"]

_START = r"(?i)^\W*"
_COUNT = "(?:[0-9][0-9,]*|one|two|three|four|five|six|seven|eight|ten|a single|a few)"
_UNIT = "(?:words?|sentences?|characters?|paragraphs?|lines?|bullet points?|bullets|tokens|pages?)"

_VERBS = (
    "add|analy[sz]e|answer|arrange|assign|brainstorm|build|calculate|categori[sz]e|change|check|choose|cite|classify"
    "|combine"
    "|come up with|compare|complete|compose|compute|conduct|consider|construct|contrast|convert|correct|count|craft"
    "|create"
    "|debug|decide|define|delete|derive|describe|design|detect|determine|develop|devise|differentiate|discuss|divide"
    "|draft"
    "|draw|edit|estimate|evaluate|examine|explain|express|extract|factor|fill|find|fix|format|formulate|generate|give"
    "|group"
    "|guess|help|identify|illustrate|imagine|implement|improve|infer|insert|invent|label|let|list|make|match|modify"
    "|multiply"
    "|name|offer|optimi[sz]e|order|organi[sz]e|outline|paraphrase|perform|pick|plan|predict|prepare|present|print"
    "|produce"
    "|propose|prove|provide|rank|rate|read|recommend|reduce|refactor|remove|rename|reorder|rephrase|replace|report"
    "|research"
    "|rewrite|select|set up|share|show|simplify|simulate|solve|sort|specify|split|state|suggest|summari[sz]e|take"
    "|tell|think"
    "|transform|translate|turn|update|use|verify|write"
)
_MAKE = "(?:write|create|generate|compose|make|come up with|tell|produce|craft|draft|give)"
_CODE_THING = (
    "(?:function|program|script|code|class|method|query|regex|regular expression|algorithm|api|app|application"
    "|component"
    "|unit tests?|sql|python|java|javascript|c\\+\\+|html|css|bash|shell)"
)
_CREATIVE_THING = (
    "(?:poem|story|song|haiku|limerick|sonnet|tale|narrative|lyrics|joke|riddle|screenplay|fable|ballad|rap"
    "|fan ?fiction"
    "|short story|monologue|dialogue|slogan|tagline)"
)
_HELPER = "is|are|was|were|do|does|did|has|have|had|should|may|might|must|am|isn['’]t|aren['’]t|don['’]t|doesn['’]t"


def _opening(word: str) -> str:
    return f"{_START}(?:{word}){EDGE}"


def _demand(name: str, text: str, regex: str) -> Shape:
    """A demand stands at the opening or the closing: in the 400 characters there, not in the passage between them."""

    def expression(column: pl.Expr) -> pl.Expr:
        return column.str.head(400).str.contains(regex) | column.str.tail(400).str.contains(regex)

    return query(name, text, expression)


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
        rf"|{EDGE}(?:which (?:one )?of (?:the|these)"
        rf"|(?:pick|choose|select) (?:one|the (?:best|correct|right|most|appropriate)|from|between|an? (?:option"
        rf"|answer)))"
        rf"{EDGE}",
    ),
    query("what_opening", "opens with “What”", _opening("what|what['’]s|whats")),
    query("why_opening", "opens with “Why”", _opening("why")),
    query("how_opening", "opens with “How”", _opening("how")),
    query("who_opening", "opens with “Who”", _opening("who|whom|whose|who['’]s")),
    query("when_opening", "opens with “When”", _opening("when")),
    query("where_opening", "opens with “Where”", _opening("where")),
    query("which_opening", "opens with “Which”", _opening("which")),
    query("helping_verb_opening", "opens with a helping verb", _opening(_HELPER)),
    query(
        "you_are_asked_opening", "opens with “Can you” or “Could you”", _opening("(?:can|could|would|will) (?:you|u)")
    ),
    query(
        "you_question_opening",
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
    query("i_opening", "opens with “I”", r"^\W*(?:I|i)(?:['’](?:m|ve|d|ll))? "),
    query(
        "persona_instruction",
        "gives the model a role to play",
        words(
            "act as|acting as|(?:you are|you['’]re)(?: now)? (?:an? |the )[a-z]+|pretend (?:to be|you|that you)"
            "|role-?play"
            "|imagine (?:that )?(?:you are|you['’]re)|(?:take on|assume|play) the role|your role is|i want you to"
            "|respond as|speak (?:like|as)|in the (?:voice|style) of"
        ),
    ),
)

_DEMANDS = (
    _demand(
        "length_limit",
        "limits the length of the answer",
        rf"(?i){EDGE}(?:in|within|under|at most|no more than|not exceed(?:ing)?|maximum of|max|less than|fewer than"
        rf"|up to|about"
        rf"|around|at least|exactly|only|minimum of)\s(?:only |just |an? )?{_COUNT}(?:\s?(?:-|to|or)\s?{_COUNT})?[- ]"
        rf"(?:\w+ )?{_UNIT}{EDGE}|{EDGE}{_COUNT} {_UNIT} (?:or less|or fewer|max|maximum|long){EDGE}"
        rf"|{EDGE}{_COUNT}-(?:word|sentence|paragraph|line|page){EDGE}",
    ),
    _demand(
        "brevity_request",
        "asks for a short answer",
        words(
            "briefly|concise(?:ly)?|succinct(?:ly)?|in short|short answer|keep it (?:short|brief|simple)"
            "|one-?liner|in brief|be brief|without (?:any )?explanation"
        ),
    ),
    _demand(
        "detail_request",
        "asks for detail",
        words(
            "in(?: great| more)? detail|detailed|comprehensive|thorough(?:ly)?|in-depth|elaborate|as much as possible"
        ),
    ),
    _demand(
        "translation_request",
        "asks for a translation",
        rf"{words('translat(?:e|es|ed|ion|ing)|how do (?:you|i|we) say')}|翻译|翻譯",
    ),
    _demand(
        "summary_request",
        "asks for a summary",
        rf"{words('summari[sz](?:e|es|ing)|summary|summaries|tl;?dr|key points|main (?:points|ideas?)')}|总结|概括|摘要",
    ),
    _demand(
        "step_by_step_request",
        "asks to go step by step",
        words(
            "step[- ]by[- ]step|step[- ]wise|one step at a time|chain[- ]of[- ]thought|show (?:your|all|the) (?:work"
            "|steps"
            "|working|reasoning)|think (?:carefully|aloud|out loud|through)|explain your (?:reasoning|answer|work)"
        ),
    ),
    _demand(
        "format_request",
        "prescribes an output format",
        words(
            "(?:in|as|into|using|with) (?:an? |the )?(?:valid )?(?:json|xml|yaml|csv|markdown|html|latex|table"
            "|bullet points?"
            "|bulleted list|numbered list|tabular)(?: format| form)?|the (?:following|same|specified) format"
            "|format (?:the"
            "|your) (?:answer|output|response)|output format"
        ),
    ),
    _demand(
        "rewriting_request",
        "asks to rewrite a text",
        words(
            "re-?write|rephrase|paraphras(?:e|ing)|reword|restate|rewording|make (?:it|this|the following) (?:more|less"
            "|sound)|improve (?:the|this|my) (?:text|sentence|paragraph|writing|following)|simplify the following"
        ),
    ),
    _demand(
        "correction_request",
        "asks to correct mistakes",
        words(
            "correct (?:the|this|any|all|my|it)|fix (?:the|this|any|my|it)|proof-?read|grammar|grammatical(?:ly)?"
            "|spelling|debug|find (?:the|any) (?:error|bug|mistake)s?|what(?: is|['’]s) wrong"
        ),
    ),
    _demand(
        "classification_request",
        "asks to classify",
        words(
            "classif(?:y|ication)|categori[sz]e|sentiment|which category|into (?:categories|groups)"
            "|positive or negative"
            "|label (?:the|each|it|this)|identify (?:whether|if|the type)"
        ),
    ),
    _demand(
        "extraction_request",
        "asks to extract or find parts of a text",
        words("extract|find all|identify (?:the|all|any)|pick out|highlight|list all|named entit(?:y|ies)|keywords"),
    ),
    _demand(
        "code_request",
        "asks for code",
        rf"(?i){EDGE}(?:{_MAKE[3:-1]}|implement|build|develop|design|construct)(?: me)?(?: an?| the"
        rf"| some)?(?: [\w+#-]+){{0,3}}? "
        rf"{_CODE_THING}(?:[\s.,:?]|$)",
    ),
    _demand(
        "creative_request",
        "asks for a poem, story or other fiction",
        rf"(?i){EDGE}{_MAKE}(?: me| us)?(?: an?| the| some| another)?(?: [\w-]+){{0,3}}? {_CREATIVE_THING}s?{EDGE}",
    ),
    _demand(
        "letter_request",
        "asks for a letter, e-mail, essay or article",
        rf"(?i){EDGE}(?:{_MAKE[3:-1]}|prepare)(?: me| us)?(?: an?| the| some)?(?: [\w-]+){{0,3}}? (?:letter|e-?mail"
        rf"|essay|article"
        rf"|blog(?: post)?|report|speech|review|paragraph|memo|post|tweet|resume|cover letter|proposal"
        rf"|press release){EDGE}",
    ),
    _demand(
        "list_request",
        "asks for a number of things",
        rf"(?i){EDGE}(?:list|name|give|provide|suggest|generate|write|create|find|identify|what are|recommend"
        rf"|describe|tell)"
        rf"(?: me| us)?(?: the| an?| at least| some| about| up to| down)?(?: list of)? (?:[0-9]+|two|three|four|five"
        rf"|six|seven"
        rf"|eight|nine|ten|several|a few|some)(?: [\w-]+){{0,2}} [a-z]+s{EDGE}|{EDGE}list of{EDGE}",
    ),
    _demand(
        "example_request",
        "asks for an example",
        words(
            "(?:give|provide|show|include|write|with|need|find|some|an) (?:me )?(?:(?:an?|some|the|one|two|three"
            "|[0-9]) )?"
            "(?:[a-z]+ )?examples?|for instance"
        ),
    ),
    _demand(
        "comparison_request",
        "asks for a comparison",
        words(
            "compare|comparison|contrast|differences? between|differentiate|versus|vs|similarit(?:y|ies)|differ from"
            "|better than|pros and cons"
        ),
    ),
    _demand(
        "definition_request",
        "asks for a meaning or definition",
        words(
            "define (?:the|an?|what|and)|definition of|what (?:does|do) [^.?\\n]+ (?:mean|stand for)|meaning of"
            "|what is meant by|what is (?:the term"
            "|an? [a-z]+\\?)"
        ),
    ),
    _demand(
        "explanation_request",
        "asks for an explanation",
        words("explain|explanation|clarify|elaborate on|walk me through"),
    ),
    _demand("proof_request", "asks for a proof", words("prove|proof of|show that|disprove|demonstrate that")),
    _demand(
        "opinion_request",
        "asks for an opinion",
        words(
            "what do you think|your (?:opinion|thoughts|view|favou?rite)|do you (?:think|believe|agree|like|prefer)"
            "|in your opinion|how do you feel|would you rather"
        ),
    ),
    _demand(
        "advice_request",
        "asks for advice",
        words(
            "should i|what should (?:i|we)|advice|(?:any|some|give me|[0-9]+) tips|how (?:can|do|should) i"
            "|recommend|best way to|suggestions?"
        ),
    ),
    _demand(
        "identity_question",
        "asks the model about itself",
        words(
            "who (?:are|made|created|built|trained|developed) you|what(?:['’]s| is) your (?:name|purpose|model)"
            "|what are you"
            "|are you (?:an? )?(?:ai|a\\.i\\.|human|robot|real|bot|chatbot|chat ?gpt|gpt|conscious|sentient"
            "|language model"
            "|machine)|your (?:developers?|creators?|training data)|introduce yourself|about yourself"
        ),
    ),
    _demand(
        "negative_instruction",
        "says what not to do",
        words(
            "do not|don['’]t (?:use|include|write|add|mention|explain|repeat|say|forget|give|make|just)|avoid(?:ing)?"
            "|never|without (?:using|any|the use)|must not|should not|not allowed"
        ),
    ),
    _demand(
        "continuation_request",
        "asks to continue or complete a text",
        words(
            "continue (?:the|this|writing|from|with)|complete the|finish the|fill in|what (?:happens|comes) next"
            "|next (?:sentence|line|word|number)|ending"
        ),
    ),
    _demand(
        "question_writing_request",
        "asks to write questions",
        rf"(?i){EDGE}(?:{_MAKE[3:-1]}|ask|formulate|devise|design)(?: me)?(?: an?| the| some"
        rf"| [0-9]+)?(?: [\w-]+){{0,3}}? (?:questions?|quiz"
        rf"|trivia|multiple[- ]choice){EDGE}",
    ),
    _demand(
        "invention_request", "asks for ideas", words("brainstorm|ideas? for|come up with|invent|think of|suggest an?")
    ),
    _demand(
        "search_for_value",
        "asks for the value of an unknown",
        words(
            "find the (?:value|sum|number|product|area|length|least|greatest|smallest|largest|probability|equation)"
            "|what is the (?:value|sum|product|area|probability|least|greatest|smallest|largest|remainder|length) of"
            "|solve for|compute|evaluate|calculate"
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
        rf"{EDGE}I(?:['’](?:m|ve|d|ll)| [a-z]+){EDGE}|{EDGE}(?:[Mm]y|me|myself){EDGE}|(?:^|\s)i(?:['’]m|m| am| have"
        rf"| want) ",
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
            "urgent(?:ly)?|asap|as soon as possible|very important to|my (?:job|life|career) depends"
            "|need (?:this|it|help) (?:now|quickly|right away)"
        ),
    ),
    query(
        "distress",
        "tells of a worry or a bad feeling",
        words(
            "i(?:['’]m| am| feel| feeling|['’]ve been)(?: really| so| very| just| a bit)? (?:sad|depressed|anxious"
            "|worried"
            "|scared|lonely|stressed|upset|afraid|hopeless|overwhelmed|nervous|suffering)|my (?:anxiety|depression)"
            "|suicid(?:e|al)"
            "|kill myself|hurt myself"
        ),
    ),
    query(
        "health_complaint",
        "tells of symptoms",
        words(
            "my (?:doctor|symptoms?|pain|stomach|chest|period|skin|throat|knee|blood pressure)|i have (?:a |an "
            "|had )?(?:[a-z]+ )?"
            "(?:pain|fever|cough|headaches?|rash|infection)|i have been (?:having|suffering|experiencing)"
            "|diagnosed with"
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
        r"|abstract"
        r"|sentence(?: ?[0-9])?)\W*[:：]",
    ),
    query("quotation_ending", "ends with a quotation or a code block", r"""(?:["”」]|```)[.?!]?\s*$"""),
    query(
        "question_after_statement",
        "tells a situation first and then asks",
        every(r"(?s)^[^?？]*[\p{L}\p{N})][.。!][\s][^?？]*[?？]\s*$", no=r"^[^.!?]*\?"),
    ),
)

ASKS: tuple[Shape, ...] = (*_QUESTIONS, *_OPENINGS, *_DEMANDS, *_VOICE)
