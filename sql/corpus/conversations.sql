-- corpus.conversations: the first exchange of every conversation, the grain at which people quote figures
-- grain: one row per conversation
-- paper: own
select
    row_id,
    content_id,
    chunk,
    conversation_id,
    turns,
    copy,
    system,
    query,
    response,
from corpus.rows
where turn = 1
