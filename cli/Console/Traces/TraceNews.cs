using System.Threading.Channels;

namespace DaprPlatform.Cli.OpsConsole.Traces;

/// <summary>Tells open pages of traces that grew, each at most once a second, and of no more than a page can show.</summary>
internal sealed class TraceNews(ConsoleHub hub, TimeProvider time)
{
    private const int MostAtOnce = 50;
    private static readonly TimeSpan Gather = TimeSpan.FromSeconds(1);
    private readonly Lock _lock = new();
    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private LinkedList<string> _touched = new();

    public void Touched(string traceId)
    {
        if (!hub.IsListened(StreamTopics.Traces))
            return;
        lock (_lock)
        {
            if (_touched.Count > 0 && _touched.Last!.Value == traceId)
                return;
            _touched.AddLast(traceId);
            if (_touched.Count > MostAtOnce)
                _touched.RemoveFirst();
        }

        _signal.Writer.TryWrite(true);
    }

    public async Task RunAsync(TraceStore store, CancellationToken cancel)
    {
        while (await _signal.Reader.WaitToReadAsync(cancel))
        {
            await Task.Delay(Gather, time, cancel);
            _signal.Reader.TryRead(out _);
            LinkedList<string> touched;
            lock (_lock)
                (touched, _touched) = (_touched, new LinkedList<string>());
            foreach (var id in touched.Distinct(StringComparer.Ordinal))
            {
                if (store.Summary(id) is { } summary)
                    hub.Publish(StreamTopics.Traces, summary);
            }
        }
    }
}
