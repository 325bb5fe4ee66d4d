using System.Runtime.CompilerServices;
using Dapr.Workflow;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Testing;

/// <summary>
/// What the worlds of the workflow tests have in common. The workflows of this platform neither have children, nor send events, continue as new or draw ids:
/// one that begins to fails its tests, with the name of what it did, until the world it is tested in knows what should follow.
/// </summary>
internal abstract class PlainWorkflowContext : WorkflowContext
{
    public override bool IsReplaying => false;

    public override bool IsPatched(string patchName) => true;

    public override ILogger CreateReplaySafeLogger(string categoryName) => NullLogger.Instance;

    public override ILogger CreateReplaySafeLogger(Type type) => NullLogger.Instance;

    public override ILogger CreateReplaySafeLogger<T>() => NullLogger.Instance;

    public override PropagatedHistory? GetPropagatedHistory() => null;

    public override void SendEvent(string instanceId, string eventName, object payload) => throw Unknown();

    public override Task<TResult> CallChildWorkflowAsync<TResult>(string workflowName, object? input = null, ChildWorkflowTaskOptions? options = null) => throw Unknown();

    public override void ContinueAsNew(object? newInput = null, bool preserveUnprocessedEvents = true) => throw Unknown();

    public override Guid NewGuid() => throw Unknown();

    private static NotSupportedException Unknown([CallerMemberName] string member = "") => new($"{member} means nothing in this test's world.");
}
