"""Assignments: hand out lessons to a class, check, collect and grade them without ever trusting
what was handed in.
"""


def command(options) -> int:
    """`minillm assignment ACTION`."""
    if options.action == "new":
        from minillm.assignments.making import make

        make(
            options.lessons,
            options.out,
            options.points,
            options.seed_per_student,
            options.due,
            options.late,
            options.title,
            options.seconds,
            options.memory,
            options.sandbox,
            install=options.install,
        )
    elif options.action == "check":
        from minillm.assignments.student import check

        return check(options.folder, options.only, options.seed, options.json, options.classroom50)
    elif options.action == "submit":
        from minillm.assignments.student import submit

        submit(options.folder, options.name, options.out)
    elif options.action == "grade":
        from minillm.assignments.classroom import grade

        grade(
            options.submissions,
            options.key,
            options.out,
            options.sandbox,
            options.jobs,
            options.times,
            options.roster,
            options.extensions,
            options.overrides,
            options.lms,
            options.only,
            options.anonymous,
            options.names,
        )
        if not options.names:
            print(f"{options.out}: grades.csv, class.html for you, students/ for them")
    else:
        from minillm.assignments.gradescope import write

        write(options.folder, options.visibility, options.leaderboard, options.install)
    return 0
