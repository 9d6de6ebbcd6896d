"""What waits at the desk.

`boards` (queues, and the time left) `choices` (of its filters) `saved_views` (lists that are opened again)
`uncertain_places` (what lies where nobody can be sure: the queue, and settling it)
"""
