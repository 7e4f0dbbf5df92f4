"""Registers: how a text speaks and what it is after, beyond what the shapes already tell.

Each is a written list of words or phrases as one regular expression (Rust syntax, linear time), English first; courtesy
and questions in a few other languages where a closed list does. Definitions are general knowledge, not drawn from any
mix.
"""

from __future__ import annotations

from chunky.features import Feature

__all__ = ["register_features"]

_EDGE = r"(?-u:\b)"  # ASCII word boundary: the Unicode one drops the engine out of its automaton


def _words(alternatives: str) -> str:
    return f"(?i){_EDGE}(?:{alternatives}){_EDGE}"


def _start(alternatives: str) -> str:
    return rf"(?i)^\W*(?:{alternatives}){_EDGE}"


_BOTH = {
    "formal_words": ("uses formal or bookish words", _words(
        "moreover|furthermore|whereby|thereof|wherein|therein|aforementioned|elucidate|ascertain|endeavou?r"
        "|utili[sz]e"
        "|commence|henceforth|notwithstanding|pertaining to|with respect to|in accordance with|pursuant|hereby"
        "|thus far"
        "|delineate|expound|facilitate|albeit|inasmuch|insofar|constitutes?|subsequently")),
    "officialese": ("speaks like an office or an authority", _words(
        "hereby|herewith|undersigned|enclosed|attached herewith|to whom it may concern|in regard to|compliance"
        "|at your earliest convenience|for your reference|on behalf of|acknowledge receipt|duly|stipulated")),
    "casual_words": ("uses casual words", _words(
        "dude|bro|buddy|guys|stuff|cool|awesome|super|freaking|sucks?|hang out|messed up|no idea|nah|whatever"
        "|hey|okay"
        "|kids|mom|dad|a bunch of|tons of|pretty much")),
    "anger": ("sounds annoyed or angry", _words(
        "annoy(?:ed|ing)|frustrat(?:ed|ing|ion)|ridiculous|useless|hate|angry|furious|fed up|sick and tired|worst"
        "|stupid|idiot(?:s|ic)?|terrible")),
    "joy": ("sounds glad or excited", _words(
        "excited|exciting|thrilled|delighted|can['’]?t wait|so happy|glad|love (?:it|this|that)|wonderful|fantastic"
        "|amazing|yay|hooray")),
    "sadness": ("speaks of grief or loneliness", _words(
        "lonely|loneliness|grief|grieving|heartbroken|cry(?:ing)?|sad(?:ness)?|passed away|depress(?:ed|ion)"
        "|miss (?:him"
        "|her|them|you)|hopeless")),
    "medical_words": ("uses words of medicine", _words(
        "patients?|symptoms?|diagnos(?:is|ed|e)|treatment|disease|doctor|hospital|medications?|surgery|clinical"
        "|therapy"
        "|infection|cancer|blood|vaccine|nurse|chronic|pain")),
    "legal_words": ("uses words of law", _words(
        "court|lawyer|attorney|legal(?:ly)?|lawsuit|contract|plaintiff|defendant|statute|liability|jurisdiction"
        "|rights"
        "|police|crime|criminal|legislation|copyright|constitution(?:al)?")),
    "financial_words": ("uses words of money and business", _words(
        "invest(?:ment|or|ing)?s?|stocks?|bank|loan|mortgage|tax(?:es)?|budget|revenue|profit|market"
        "|interest rate|debt"
        "|insurance|salary|customers?|sales|company|economy")),
    "science_words": ("uses words of science", _words(
        "hypothesis|experiment|molecul(?:e|ar)|atoms?|energy|species|cells?|protein|physics|chemical|chemistry"
        "|biology"
        "|theory|quantum|gravity|velocity|temperature|laboratory")),
    "math_words": ("uses words of mathematics", _words(
        "equations?|polynomial|integers?|theorem|derivative|integral|matrix|triangle|radius|probability|algebra"
        "|geometry|fractions?|perimeter|diameter|sum of|prime numbers?|function f")),
    "programming_words": ("uses words of programming", _words(
        "function|variable|array|string|class|method|loop|compil(?:e|er)|algorithm|database|api|python"
        "|java(?:script)?"
        "|html|css|sql|server|parameter|exception|boolean|repository")),
    "politics_words": ("uses words of politics", _words(
        "president|election|government|politic(?:s|al|ian)s?|democra(?:t|ts|cy|tic)|republicans?|congress"
        "|senat(?:e|or)"
        "|parliament|minister|vot(?:e|ers|ing)|policy|war")),
    "religion_words": ("uses words of religion", _words(
        "god|jesus|christ(?:ian|ianity)?|bible|islam(?:ic)?|muslims?|church|prayer?|hindu(?:ism)?|buddh(?:a|ism|ist)"
        "|jew(?:s|ish)?|faith|holy|quran|heaven")),
    "sexual_words": ("speaks of sex", _words(
        "sex(?:ual|ually|y)?|porn(?:ography)?|nude|naked|erotic|orgasm|intercourse|genitals?|masturbat(?:e|ion)")),
    "violence_words": ("speaks of violence, weapons or crime", _words(
        "kill(?:ed|ing)?|murder|bombs?|weapons?|guns?|poison|stab|attack(?:ed)?|terroris[mt]|assault|steal|robbery"
        "|hack(?:ing)?|malware|drugs|explosives?")),
    "family_words": ("speaks of a family or partner of its author", _words(
        "my (?:\\w+ )?(?:wife|husband|son|daughter|mother|father|mom|mum|dad|brother|sister|girlfriend|boyfriend"
        "|partner|kids?|children|family|grand(?:mother|father|ma|pa|parents)|parents)")),
    "time_reference": ("speaks of today, yesterday or tomorrow", _words(
        "today|yesterday|tomorrow|tonight|right now|this (?:morning|week|month|year)|last (?:week|night|month|year)"
        "|next (?:week|month|year)")),
    "named_maker": ("names a maker of language models", _words(
        "openai|chat-?gpt|gpt-?[0-9](?:\\.[0-9])?|anthropic|claude|gemini|google|microsoft|meta ai|llama|vicuna"
        "|mistral"
        "|hugging ?face")),
    "courtesy_abroad": ("is polite in another language than English",
        r"(?i)(?:^|[^\p{L}])(?:por favor|gracias|s['’]il (?:vous|te) pla[iî]t|merci|bitte|danke|per favore|grazie"
        r"|obrigad[oa]|пожалуйста|спасибо|lütfen|proszę|tack)(?:[^\p{L}]|$)|请|請|谢谢|お願い|ください|ありがとう|주세요|감사"),
    "question_abroad": ("asks in another language than English",
        r"(?i)¿|(?:^|[^\p{L}])(?:cuál|qué|cómo|por qué|pourquoi|comment|quelle?s?|warum|welche[rsn]?"
        r"|wieso|perché|quale"
        r"|qual|почему|какой|какая|как|что такое|nasıl|neden|dlaczego|jak)"
        r"(?:[^\p{L}]|$)|什么|什麼|怎么|为什么|如何|何です|なぜ|무엇"),
}  # fmt: skip

_QUERY = {
    "author_role": ("says who its author is", _words(
        "i(?: a|['’])?m an? (?:[a-z-]+ ){0,2}(?:student|teacher|developer|engineer|manager|writer|doctor|nurse|parent"
        "|mother|father|beginner|researcher|programmer|designer|woman|man|girl|boy|year[- ]old|owner|artist|lawyer"
        "|professor|journalist|scientist|farmer|chef|musician|coach)|speaking as an?|i work (?:as|at|for|in)"
        "|my (?:job|profession|occupation) is")),
    "author_work": ("speaks of the author’s job or company", _words(
        "my (?:job|boss|company|team|clients?|coworkers?|colleagues?|business|startup|employer|employees|office"
        "|customers"
        "|shift)|at work|our (?:company|team|clients?|customers|department)")),
    "author_school": ("speaks of school, homework or an exam", _words(
        "my (?:teacher|class|homework|thesis|essay|exam|school|professor|assignment|pupils|students)|home ?work"
        "|for school"
        "|my (?:lesson|course)|exam")),
    "author_doubt": ("says that its author is lost or unsure", _words(
        "i(?: do not|['’]?m not| don['’]?t| can['’]?t| cannot) (?:really )?(?:understand|know how|know what"
        "|figure|sure"
        "|get it)|confused|i['’]?m stuck|i am stuck|no idea|not sure|i(?:['’]m| am) lost|struggling|i doubt")),
    "failure_report": ("reports that something does not work", _words(
        "(?:does|do|did|is|has)(?: not|n['’]t) (?:work|load|start|run|show|working)|not working|error|fails?|failed"
        "|crash(?:es|ed)?|broken|bug")),
    "challenge": ("contradicts or challenges the assistant", _words(
        "you(?: are|['’]re) (?:wrong|lying|incorrect|mistaken)|that(?:['’]s| is) (?:not (?:right|true|correct)|wrong)"
        "|are you sure|try again|you (?:did not|didn['’]t|forgot|missed)")),
    "assistant_praise": ("praises the assistant", _words(
        "good job|well done|great (?:answer|job|work)|you(?: are|['’]re) (?:so |very )?(?:great|amazing|smart|helpful"
        "|the best)|perfect|nice work|that helps")),
    "guard_evasion": ("asks to drop rules or filters", _words(
        "ignore (?:all|any|the|your|previous)[a-z ]{0,20}(?:instructions?|rules|prompts?)|no (?:restrictions|limits"
        "|filters?|rules)|without (?:any )?(?:filters?|censorship|restrictions|warnings?|disclaimers?)|jailbreak"
        "|do anything now|uncensored|unfiltered")),
    "fiction_frame": ("frames its demand as fiction", _words(
        "fictional|for (?:my|a) (?:novel|story|book|screenplay|game)|in a world where|a story (?:about|where"
        "|in which)"
        "|characters?|hypothetical(?:ly)?")),
    "audience": ("names an audience to write for", _words(
        "for (?:kids|children|beginners|a child|an? [a-z-]+[- ]year[- ]old|dummies|students|experts|non-?experts"
        "|seniors|teenagers)|eli5|like i(?:['’]m| am) (?:five|5)|(?:in )?layman['’]?s? terms|audience|graders?")),
    "tone_demand": ("prescribes a tone or style", _words(
        "(?:friendly|formal|professional|humorous|casual|persuasive|funny|serious|poetic|sarcastic|academic"
        "|conversational|engaging|polite) (?:and [a-z]+ )?(?:tone|style|way|manner|voice|language)|tone of voice"
        "|writing style|in the style of")),
    "grading_demand": ("asks to rate or grade something", _words(
        "rate (?:the|this|my|it)|on a scale|score (?:the|this|of)|grade (?:the|this|my)|evaluate (?:the|this|my|how)"
        "|assess(?:ment)?|ranking|rank the|critique")),
    "plan_demand": ("asks for a plan or schedule", _words(
        "(?:an? |the )?(?:[a-z-]+ )?(?:plan|schedule|itinerary|routine|agenda|roadmap|timetable"
        "|checklist) (?:for|to|of)"
        "|plan (?:a|my|our|the)|strategy for|outline (?:for|of)")),
    "fact_check": ("asks whether something is true", _words(
        "is it (?:true|correct|possible|safe|legal|ok|okay|normal)|fact[- ]check|true or false|myth"
        "|is there (?:any )?"
        "(?:evidence|proof)|really")),
    "math_demand": ("asks for a calculation or a mathematical result", _words(
        "solve|calculate|compute|simplify|factor(?:ize)?|differentiate|integrate|evaluate|find the (?:value|sum|area"
        "|number|volume|slope|derivative|probability)|how many|what is [0-9]+")),
    "word_problem": ("is a word problem with people and quantities",
        r"(?i)[0-9].*(?:how (?:many|much|long|far|old)|what (?:is|was) the (?:total|average|cost|price|number))"),
    "health_advice": ("asks for medical advice", _words(
        "(?:should i|can i|is it safe|what (?:can|should) i)[a-z ,]{0,40}(?:take|eat|pain|doctor|medicine|dose"
        "|pill|sick"
        "|pregnan(?:t|cy)|symptoms?)|(?:cure|remed(?:y|ies)|treat(?:ment)?s?) for|side effects?|dosage"
        "|lose weight|diet")),
    "legal_advice": ("asks for legal advice", _words(
        "is it (?:legal|illegal)|can (?:i|they|my landlord|my boss) (?:sue|be sued|evict)|my (?:landlord|lawyer|lease"
        "|visa|custody|divorce)|legal (?:advice|rights|help)|sue (?:my|the|a)|lawsuit against")),
    "money_advice": ("asks for financial advice", _words(
        "should i (?:invest|buy|sell|save)|save money|make money|credit (?:score|card)|my (?:savings|mortgage"
        "|debt|taxes"
        "|salary|budget)|how (?:do|can) i (?:invest|earn|budget)|retirement|passive income")),
    "relationship_advice": ("asks about love or friendship", _words(
        "my (?:ex|crush|best friend|girlfriend|boyfriend|marriage|relationship)|dating|break ?up|fall in love"
        "|first date"
        "|in a relationship|married|friendship")),
    "recipe_demand": ("asks about food or cooking", _words(
        "recipes?|cook(?:ing)?|bake|ingredients?|dinner|breakfast|lunch|meals?|dish(?:es)?|vegan|restaurant")),
    "travel_demand": ("asks about travel", _words(
        "travel(?:l?ing)?|trip to|vacation|hotels?|flights?|visit(?:ing)? (?:in|to|[A-Z])|tourist|itinerary"
        "|sightseeing")),
    "language_named": ("names a language to use", _words(
        "(?:in|into|to|from) (?:english|french|german|spanish|chinese|japanese|italian|portuguese|russian"
        "|korean|arabic"
        "|hindi|dutch|turkish|polish|vietnamese|latin|swedish|persian|urdu|bengali)")),
    "imitation": ("asks to write as a known person or character", _words(
        "(?:as if|like) (?:you were|you are|it was written by)|in the (?:voice|words|style|manner) of|impersonate"
        "|pretend|simulate|imitate")),
    "material_reference": ("refers to material given with it", _words(
        "(?:the )?(?:above|following|below|attached|given|provided) (?:text|passage|paragraph|article|sentence"
        "|code|table"
        "|document|data|information|list|dialogue|context|story|review|statement)s?")),
    "demand_of_reasons": ("asks for reasons or an argument", _words(
        "why|reasons?|argue|argument (?:for|against)|justify|rationale|convince|persuade|evidence")),
    "assistant_task": ("describes a task with rules and an input", _words(
        "in this task|you (?:will be|are) given|your task|your job is|the input|the output|instructions?|definition:"
        "|guidelines|rules:")),
}  # fmt: skip

_RESPONSE = {
    "flattery": ("flatters the user", _words(
        "what an? (?:great|excellent|wonderful|fantastic|insightful|thoughtful|interesting|beautiful|clever) [a-z]+"
        "|(?:great|excellent|good|wonderful|insightful|fascinating) question|you(?: are|['’]re) (?:so |very |really "
        "|clearly )?(?:smart|clever|talented|insightful|wise|gifted|brilliant|amazing|kind)|impressive|well done"
        "|i admire")),
    "empathy": ("shows empathy", _words(
        "i (?:completely |totally |can )?understand (?:how|that|your|why)|sorry (?:to hear|for your|that you)"
        "|that must"
        "|must be (?:hard|difficult|tough)|it(?:['’]s| is) (?:okay|ok|normal|understandable|natural) to"
        "|your feelings|you(?: are|['’]re) not alone|i hear you|here for you")),
    "agreement": ("agrees with the user", _words(
        "you(?: are|['’]re) (?:absolutely |totally |completely |quite )?(?:right|correct)|i (?:completely "
        "|totally )?agree"
        "|good point|that(?:['’]s| is) (?:right|correct|true)|exactly|indeed")),
    "disagreement": ("contradicts the user", _words(
        "i (?:respectfully |strongly )?disagree|you(?: are|['’]re) (?:mistaken|wrong|incorrect)|that(?:['’]s| is) "
        "(?:not (?:quite |entirely |actually )?(?:right|true|correct|accurate|the case)|incorrect|wrong|false)"
        "|actually|not quite|on the contrary|misconception|quite the opposite|not exactly")),
    "closing_wish": ("closes with a good wish", r"(?i)(?:good luck|have an? (?:great|good|nice|wonderful"
        "|lovely) [a-z]+"
        r"|best of luck|all the best|best wishes|take care|enjoy[^.!?\n]*|happy [a-z]+ing|safe travels|stay safe"
        r"|wish you[^.!?\n]*)[.!]*\s*$"),
    "asks_back": ("asks the user something in return", _words(
        "would you (?:like|prefer|mind)|do you (?:want|have|need|like|know|think)|what (?:do|are|is|would) you(?:r)?"
        "|which (?:one )?(?:do|would) you|have you (?:ever |tried|considered|thought)|how (?:do|did|are|about) you"
        "|shall (?:i|we)|may i ask|tell me (?:more|about)|are you (?:looking|interested|asking|sure|trying)")),
    "identity_claim": ("says who made it or what it is called", _words(
        "my name is|i(?: am|['’]m) (?:called|known as)|you can call me|i was (?:created|developed|trained|built"
        "|made) by"
        "|(?:developed|created|trained|made) by (?:openai|anthropic|google|meta|microsoft|researchers|a team)"
        "|my creators?"
        "|my developers?")),
    "human_claim": ("claims a human life of its own", _words(
        "when i was (?:a |young|little|growing|in )|i grew up|my (?:own )?(?:childhood|youth|wife|husband|kids|mother"
        "|father|grandmother|grandfather|son|daughter|hometown)|i (?:remember|once|used to|was born|went to"
        "|have lived"
        "|worked as)|years ago,? i|in my experience")),
    "enthusiasm": ("sounds enthusiastic", _words(
        "amazing|incredible|exciting|fantastic|awesome|absolutely|thrilled|delighted|can['’]t wait|wow|brilliant"
        "|superb|unbelievable|spectacular")),
    "certainty": ("stresses that it is certain", _words(
        "clearly|obviously|undoubtedly|certainly|without (?:a )?doubt|definitely|of course|no question|surely|always"
        "|never|must be")),
    "vagueness": ("stays general or vague", _words(
        "various|some people|many people|generally|typically|usually|in general|often|sometimes|can vary|depending on"
        "|in some cases|tends? to|varies")),
    "both_sides": ("weighs two sides", _words(
        "on (?:the )?one hand|on the other hand|pros and cons|advantages|disadvantages|some (?:argue|believe|say)"
        "|others (?:argue|believe|say|may)|both sides|in contrast|whereas|controversial|debate")),
    "definition": ("defines a term", _words(
        "is defined as|refers to|is (?:a|the) (?:type|kind|form|process|term|branch|set|method) (?:of|for|that|used)"
        "|(?:is|are) (?:known|called) as|means that|stands for")),
    "storytelling": ("tells a story", _words(
        "once upon a time|one day|there (?:once )?(?:was|lived) an?|suddenly|she (?:said|whispered|smiled|knew|felt"
        "|looked)|he (?:said|whispered|smiled|knew|felt|looked)|happily ever after|long ago")),
    "poetic_words": ("uses poetic words", _words(
        "whisper(?:s|ed|ing)?|shimmer(?:s|ing)?|gentle|sorrow|embrace|twilight|dawn|soul|dreams?|moon(?:light)?|bloom"
        "|wonder|heart|starlight|sweet|dance(?:s|d)?|eternal")),
    "selling": ("sells or calls to action", _words(
        "order now|buy (?:now|today)|don['’]t miss|sign up|visit our|contact us|call (?:us )?(?:now|today)"
        "|limited time"
        "|join us|subscribe|shop now|click (?:here|the)|our (?:product|team|customers|services?)|introducing")),
    "letter_opening": ("opens like a letter", r"(?i)^\W*(?:subject:|dear [\w\[{]|to whom it may concern)"),
    "emergency_referral": ("points to emergency help or a hotline", _words(
        "call (?:911|emergency|your doctor|the police|an ambulance)|emergency (?:services|room|department"
        "|number)|hotline"
        "|helpline|crisis|seek (?:immediate )?help|poison control")),
    "duty": ("tells what one ought to do", _words(
        "we (?:must|should|ought|need to)|(?:it is|it['’]s) our (?:duty|responsibility)|one (?:must|should)"
        "|(?:always|never) (?:be|treat|forget|remember)|respect (?:others|each|for)|responsib(?:le|ility|ly)|moral"
        "|remember (?:that|to)")),
    "user_thanks": ("thanks the user", _words(
        "thank you for (?:asking|sharing|your|reaching|the|considering|contacting|providing|bringing)|thanks for"
        "|i appreciate (?:your|that|the)|appreciate your")),
    "willingness": ("says that it is glad or ready to help", _words(
        "i(?:['’]d| would) be (?:happy|glad|delighted) to|i(?:['’]m| am) (?:happy|glad|here|ready) to"
        "|i can (?:help|assist"
        "|certainly)|i(?:['’]ll| will) (?:help|do my best|try|explain|provide|be)|here to (?:help|assist)")),
    "user_quote": ("refers to what the user said", _words(
        "you (?:said|mentioned|asked|described|provided|gave|shared|want|wrote|stated)|your (?:question|request|query"
        "|message|statement|input|text|example|code)|as you (?:said|mentioned|know)")),
    "option_choice": ("picks one of the options", _words(
        "option \\(?[a-e1-5]|answer is \\(?[a-e]\\)?|the correct (?:answer|option|choice)|(?:choice"
        "|answer) \\(?[a-e]\\)?"
        "|the best (?:answer|option|choice)")),
    "no_answer": ("says that the question cannot be answered", _words(
        "(?:cannot|can['’]?t|can not|unable to|impossible to|not possible to) (?:be )?(?:answer(?:ed)?"
        "|determin(?:e|ed)"
        "|sa(?:y|id)|tell|know)|unanswerable|not (?:mentioned|specified|stated|given|provided)|no information"
        "|not enough (?:information|context|data)|unknown")),
    "code_explanation": ("explains code", _words(
        "this (?:code|function|program|script|query|method|class|command|will)|the (?:code|function|program"
        "|script|method)"
        "|(?:returns?|prints?|takes?|creates?|imports?) (?:a|an|the|two|in)|in this (?:code|example|case),")),
    "formula_talk": ("works with numbers in running text", _words(
        "(?:equals?|equal to|multiply|multiplied|divide(?:d)?|subtract(?:ed|ing)?|add(?:ed|ing)?|sum"
        "|total) (?:of|by|to"
        "|from|is|the|both|these|up)?|so there (?:are|were)|per (?:hour|day|week|month|year)")),
    "tool_talk": ("says that it looks something up or acts", _words(
        "i (?:will|need to|should|can|['’]ll) (?:search|look up|check|find|use the|call)|action:|observation:|search"
        "(?:ing)? for|looking up|let me (?:search|look|find|check)")),
    "instruction_steps": ("instructs step by step", _words(
        "(?:first|next|then|finally|step [0-9]+)[,:] [a-z]+|preheat|make sure (?:to|that|you)|you(?:['’]ll"
        "| will) need"
        "|follow (?:these|the) steps|click (?:on|the)|go to|open the|repeat")),
}  # fmt: skip


def register_features() -> list[Feature]:
    """All registers as features of kind `regex`, queries first; `text` completes "the query …", "the response …"."""
    listed = {"query": _BOTH | _QUERY, "response": _BOTH | _RESPONSE}
    return [
        Feature("regex", side, name, text, regex)
        for side, registers in listed.items()
        for name, (text, regex) in registers.items()
    ]
