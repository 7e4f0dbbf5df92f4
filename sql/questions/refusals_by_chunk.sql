-- How often do each chunk's answers refuse?
-- parameters: refusal = "(?i)^.{0,80}(I('m| am) (sorry|unable|not able)|I (can(no|')t|cannot|won't|will not|must decline)|as an AI)" — what a refusal looks like in the first line
select
    chunk,
    conversations,
    matches as refusals,
    rate as refusal_rate,
    rate_low,
    rate_high,
    share_of_matches as share_of_refusals,
from corpus.rate_by_chunk(getvariable('refusal'), 'response')
where matches > 0
order by rate desc, chunk asc
