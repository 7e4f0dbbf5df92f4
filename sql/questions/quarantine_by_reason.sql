-- What could not be taken in, and why?
-- parameters: none
select
    file,
    reason,
    count(*) as records,
    min(record_number) as first_record_number,
    arg_min(detail, coalesce(record_number, 0)) as first_detail,
    arg_min(excerpt, coalesce(record_number, 0)) as first_excerpt,
from corpus.quarantine
group by all
order by records desc, file asc, reason asc
