"""Issues: how they come to be, are moved from hand to hand, and are solved.

- what they are: `categories` `category_lists` (as the desk shows them) `placing` `workflow` (the table of moves)
  `standings` (who is what to one) `measures` (what the rates are counted from) `issues` (how they come to be)
  `issue_changes` (how they are written)
- moving them: `moves` (as they are asked for) `issue_moves` `offers` (who takes one on) `candidates` (who could)
  `judgements` (giving back, pausing, extending) `corrections` `channels` (changed, and followed by a leader)
  `joint_reviews` `appointments` (of an agent) `handing_on` (somebody's issues go to others)
- the same thing reported twice: `merging` `likeness` (how alike, and why) `twins` `twin_proposals`
"""
