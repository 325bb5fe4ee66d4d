namespace DaprPlatform.Sidecar.Introspection;

/// <param name="Labels">Values, in the order of the family's labels.</param>
public sealed record CounterView(string App, string Family, IReadOnlyList<string> Labels, double Value);

/// <summary>Counters of all sidecars as they stand, without the way through their text.</summary>
public sealed class CounterViews
{
    private readonly RuntimeView _view;

    internal CounterViews(RuntimeView view) => _view = view;

    /// <summary>Workflows that ended and activities that ran, by family and labels.</summary>
    public IReadOnlyList<CounterView> Workflows() => Read("dapr_runtime_workflow_execution_count", "dapr_runtime_workflow_activity_execution_count");

    private List<CounterView> Read(params string[] families)
    {
        var found = new List<CounterView>();
        foreach (var runtime in _view.Runtimes)
        {
            foreach (var family in families)
            {
                foreach (var (labels, value) in runtime.Metrics.Registry.Find(family)?.Values ?? [])
                    found.Add(new CounterView(runtime.Options.AppId, family, labels, value));
            }
        }

        return found;
    }
}
