-- turf.like_rows: the rows whose response opens or ends like a failing one
-- grain: one row per crux and such a row
-- paper: own (docs/turf.md); looked up once for the models that ask for it
select
    crux_id,
    row_id,
    sentence_id,
    similarity,
from embeddings.row_sentences
inner join like_sentences using (sentence_id)
