using Dapr.Workflow.Worker;
using P = Dapr.DurableTask.Protobuf;

namespace Sdk.Workflow.Tests;

public sealed class KeptHistoriesTests
{
    [Fact]
    public void What_the_sidecar_left_out_is_put_back_in_front()
    {
        var histories = new KeptHistories();
        histories.Keep(Request(0, 0, 40));
        var next = Request(40, 40, 3);

        Assert.True(histories.Complete(next));
        Assert.Equal(Enumerable.Range(0, 43), next.PastEvents.Select(e => e.EventId));
    }

    [Fact]
    public void What_is_no_longer_here_has_to_be_asked_for()
    {
        var histories = new KeptHistories();
        histories.Keep(Request(0, 0, 40));
        histories.Forget("instance");

        Assert.False(histories.Complete(Request(40, 40, 3)));
    }

    [Fact]
    public void Short_histories_are_not_kept()
    {
        var histories = new KeptHistories();
        histories.Keep(Request(0, 0, 5));

        Assert.False(histories.Complete(Request(5, 5, 1)));
        Assert.True(histories.Complete(Request(0, 0, 6)));
    }

    private static P.WorkflowRequest Request(int kept, int first, int count)
    {
        var request = new P.WorkflowRequest { InstanceId = "instance", KeptEvents = kept };
        request.PastEvents.AddRange(Enumerable.Range(first, count).Select(i => new P.HistoryEvent { EventId = i }));
        return request;
    }
}
