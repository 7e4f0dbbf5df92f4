"""Shapes of demanding: what kind of answer a query asks for, and under which limits."""

from __future__ import annotations

import polars as pl

from chunky.shapes._shape import EDGE, Shape, query, words

__all__ = ["DEMANDS"]

_COUNT = "(?:[0-9][0-9,]*|one|two|three|four|five|six|seven|eight|ten|a single|a few)"
_UNIT = "(?:words?|sentences?|characters?|paragraphs?|lines?|bullet points?|bullets|tokens|pages?)"
_MAKE = "(?:write|create|generate|compose|make|come up with|tell|produce|craft|draft|give)"
_CODE_THING = (
    "(?:function|program|script|code|class|method|query|regex|regular expression|algorithm|api|app|application"
    "|component|unit tests?|sql|python|java|javascript|c\\+\\+|html|css|bash|shell)"
)
_CREATIVE_THING = (
    "(?:poem|story|song|haiku|limerick|sonnet|tale|narrative|lyrics|joke|riddle|screenplay|fable|ballad|rap"
    "|fan ?fiction|short story|monologue|dialogue|slogan|tagline)"
)


def _demand(name: str, text: str, regex: str) -> Shape:
    """A demand stands at the opening or the closing: in the 400 characters there, not in the passage between them."""

    def expression(column: pl.Expr) -> pl.Expr:
        return column.str.head(400).str.contains(regex) | column.str.tail(400).str.contains(regex)

    return query(name, text, expression)


DEMANDS: tuple[Shape, ...] = (
    _demand(
        "length_limit",
        "limits the length of the answer",
        rf"(?i){EDGE}(?:in|within|under|at most|no more than|not exceed(?:ing)?|maximum of|max|less than|fewer than"
        rf"|up to|about|around|at least|exactly|only|minimum of)\s(?:only |just |an? )?{_COUNT}(?:\s?(?:-|to"
        rf"|or)\s?{_COUNT})?[- ](?:\w+ )?{_UNIT}{EDGE}|{EDGE}{_COUNT} {_UNIT} (?:or less|or fewer|max|maximum"
        rf"|long){EDGE}|{EDGE}{_COUNT}-(?:word|sentence|paragraph|line|page){EDGE}",
    ),
    _demand(
        "brevity_request",
        "asks for a short answer",
        words(
            "briefly|concise(?:ly)?|succinct(?:ly)?|in short|short answer|keep it (?:short|brief|simple)|one-?liner"
            "|in brief|be brief|without (?:any )?explanation"
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
        words("summari[sz](?:e|es|ing)|summary|summaries|tl;?dr|key points|main (?:points|ideas?)") + "|总结|概括|摘要",
    ),
    _demand(
        "step_by_step_request",
        "asks to go step by step",
        words(
            "step[- ]by[- ]step|step[- ]wise|one step at a time|chain[- ]of[- ]thought|show (?:your|all|the) (?:work"
            "|steps|working|reasoning)|think (?:carefully|aloud|out loud|through)|explain your (?:reasoning|answer"
            "|work)"
        ),
    ),
    _demand(
        "format_request",
        "prescribes an output format",
        words(
            "(?:in|as|into|using|with) (?:an? |the )?(?:valid )?(?:json|xml|yaml|csv|markdown|html|latex|table"
            "|bullet points?|bulleted list|numbered list|tabular)(?: format| form)?|the (?:following|same"
            "|specified) format|format (?:the|your) (?:answer|output|response)|output format"
        ),
    ),
    _demand(
        "rewriting_request",
        "asks to rewrite a text",
        words(
            "re-?write|rephrase|paraphras(?:e|ing)|reword|restate|rewording|make (?:it|this|the following) (?:more"
            "|less|sound)|improve (?:the|this|my) (?:text|sentence|paragraph|writing|following)|simplify the following"
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
            "|positive or negative|label (?:the|each|it|this)|identify (?:whether|if|the type)"
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
        rf"| some)?(?: [\w+#-]+){{0,3}}? {_CODE_THING}(?:[\s.,:?]|$)",
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
        rf"|essay|article|blog(?: post)?|report|speech|review|paragraph|memo|post|tweet|resume|cover letter|proposal"
        rf"|press release){EDGE}",
    ),
    _demand(
        "list_request",
        "asks for a number of things",
        rf"(?i){EDGE}(?:list|name|give|provide|suggest|generate|write|create|find|identify|what are|recommend|describe"
        rf"|tell)(?: me| us)?(?: the| an?| at least| some| about| up to| down)?(?: list of)? (?:[0-9]+|two|three|four"
        rf"|five|six|seven|eight|nine|ten|several|a few|some)(?: [\w-]+){{0,2}} [a-z]+s{EDGE}|{EDGE}list of{EDGE}",
    ),
    _demand(
        "example_request",
        "asks for an example",
        words(
            "(?:give|provide|show|include|write|with|need|find|some|an) (?:me )?(?:(?:an?|some|the|one|two|three"
            "|[0-9]) )?(?:[a-z]+ )?examples?|for instance"
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
            "|what is meant by|what is (?:the term|an? [a-z]+\\?)"
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
            "should i|what should (?:i|we)|advice|(?:any|some|give me|[0-9]+) tips|how (?:can|do|should) i|recommend"
            "|best way to|suggestions?"
        ),
    ),
    _demand(
        "identity_question",
        "asks the model about itself",
        words(
            "who (?:are|made|created|built|trained|developed) you|what(?:['’]s| is) your (?:name|purpose|model)"
            "|what are you|are you (?:an? )?(?:ai|a\\.i\\.|human|robot|real|bot|chatbot|chat ?gpt|gpt|conscious"
            "|sentient|language model|machine)|your (?:developers?|creators?|training data)|introduce yourself"
            "|about yourself"
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
        rf"| [0-9]+)?(?: [\w-]+){{0,3}}? (?:questions?|quiz|trivia|multiple[- ]choice){EDGE}",
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
