namespace DaprPlatform.Sidecar.Workflow;

/// <summary>What the workers of one sidecar may have at a time.</summary>
/// <param name="key">Tells sidecars apart.</param>
internal sealed class WorkerGroup(string key, int? maxTurns, int? maxActivities)
{
    public string Key => key;

    public int? MaxTurns => maxTurns;

    public int? MaxActivities => maxActivities;

    /// <summary>Those given out; guarded by the dispatcher.</summary>
    public int Turns { get; set; }

    public int Activities { get; set; }

    public bool HasRoomFor(IWorkerTask task) => task.IsTurn ? maxTurns is not { } turns || Turns < turns : maxActivities is not { } activities || Activities < activities;

    public void Count(IWorkerTask task, int by)
    {
        if (task.IsTurn)
            Turns += by;
        else
            Activities += by;
    }
}

/// <summary>Workflows and activities that a sidecar has itself.</summary>
internal static class BuiltInWork
{
    public static bool Is(string name) => name.StartsWith(Mcp.McpWorkflow.Prefix, StringComparison.Ordinal);
}

/// <summary>
/// Gives work to workers: to the one that has least, in turn where they have the same. What no worker may take at the moment waits in order. Thread-safe.
/// </summary>
internal sealed class Dispatcher(WorkflowSettings settings)
{
    private readonly Lock _lock = new();
    private readonly List<WorkerStream> _streams = [];
    private readonly Kind _turns = new(settings.GlobalWorkflows, settings.WorkflowLimits, isBuiltIn: false);
    private readonly Kind _activities = new(settings.GlobalActivities, settings.ActivityLimits, isBuiltIn: false);
    private readonly Kind _builtInTurns = new(null, settings.WorkflowLimits, isBuiltIn: true);
    private readonly Kind _builtInActivities = new(null, settings.ActivityLimits, isBuiltIn: true);
    private int _last;

    public int Streams
    {
        get
        {
            lock (_lock)
                return _streams.Count;
        }
    }

    public void Add(WorkerStream stream)
    {
        lock (_lock)
        {
            _streams.Add(stream);
            FillAll();
        }
    }

    /// <summary>What the stream was given and has not answered goes to others, before what waits.</summary>
    public void Remove(WorkerStream stream)
    {
        lock (_lock)
        {
            _streams.Remove(stream);
            foreach (var task in stream.Given)
            {
                task.Stream = null;
                stream.Group.Count(task, -1);
                var kind = KindOf(task);
                kind.Count(task, -1);
                kind.Waiting.AddFirst(task);
            }

            stream.Given.Clear();
            FillAll();
        }
    }

    public void Enter(IWorkerTask task)
    {
        lock (_lock)
        {
            var kind = KindOf(task);
            if ((kind.Waiting.Count > 0 && !kind.LimitsNames) || !TryPlace(kind, task))
                kind.Waiting.AddLast(task);
        }
    }

    /// <summary>A task is answered, or no longer wanted.</summary>
    public void Leave(IWorkerTask task)
    {
        lock (_lock)
        {
            if (task.Stream is not { } stream || !stream.Given.Remove(task))
                return;
            task.Stream = null;
            stream.Group.Count(task, -1);
            var kind = KindOf(task);
            kind.Count(task, -1);
            Fill(kind);
        }
    }

    private Kind KindOf(IWorkerTask task) => (BuiltInWork.Is(task.Name), task.IsTurn) switch
    {
        (false, true) => _turns,
        (false, false) => _activities,
        (true, true) => _builtInTurns,
        (true, false) => _builtInActivities,
    };

    private void FillAll()
    {
        Fill(_turns);
        Fill(_activities);
        Fill(_builtInTurns);
        Fill(_builtInActivities);
    }

    private void Fill(Kind kind)
    {
        for (var node = kind.Waiting.First; node is not null && _streams.Count > 0;)
        {
            var next = node.Next;
            if (TryPlace(kind, node.Value))
                kind.Waiting.Remove(node);
            else if (!kind.LimitsNames)
                return;
            node = next;
        }
    }

    private bool TryPlace(Kind kind, IWorkerTask task)
    {
        if (!kind.Allows(task))
            return false;
        WorkerStream? chosen = null;
        var at = 0;
        for (var i = 1; i <= _streams.Count; i++)
        {
            var index = (_last + i) % _streams.Count;
            var stream = _streams[index];
            if (stream.Worker.IsBuiltIn == kind.IsBuiltIn && (chosen is null || stream.Given.Count < chosen.Given.Count) && stream.Group.HasRoomFor(task))
                (chosen, at) = (stream, index);
        }

        if (chosen is null)
            return false;
        _last = at;
        task.Stream = chosen;
        chosen.Given.Add(task);
        chosen.Group.Count(task, 1);
        kind.Count(task, 1);
        chosen.Push(task);
        return true;
    }

    /// <summary>Turns or activities: what waits, and the limits that hold for all sidecars together.</summary>
    /// <param name="isBuiltIn">Work of sidecars themselves, not of the app.</param>
    private sealed class Kind(int? most, IReadOnlyDictionary<string, int> names, bool isBuiltIn)
    {
        public bool IsBuiltIn => isBuiltIn;

        private readonly Dictionary<string, int> _given = new(StringComparer.Ordinal);
        private int _all;

        public LinkedList<IWorkerTask> Waiting { get; } = [];

        public bool LimitsNames => names.Count > 0;

        public bool Allows(IWorkerTask task) => (most is not { } limit || _all < limit) && (!names.TryGetValue(task.Name, out var own) || _given.GetValueOrDefault(task.Name) < own);

        public void Count(IWorkerTask task, int by)
        {
            _all += by;
            if (names.ContainsKey(task.Name))
                _given[task.Name] = _given.GetValueOrDefault(task.Name) + by;
        }
    }
}
