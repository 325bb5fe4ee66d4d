using System.Text.Json.Nodes;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>An instance in a list.</summary>
/// <param name="Status"><c>pending</c>, <c>running</c>, <c>suspended</c>, <c>stalled</c>, <c>completed</c>, <c>failed</c>, <c>terminated</c>, <c>canceled</c>, <c>continuedAsNew</c>.</param>
internal sealed record WorkflowRow(string App, string Id, string Name, string Status, DateTimeOffset? CreatedAt, DateTimeOffset? UpdatedAt, string? CustomStatus);

/// <param name="Total">Instances of the app, or of all, where nothing else is filtered.</param>
internal sealed record WorkflowList(IReadOnlyList<WorkflowRow> Items, string? Next, long? Total);

internal sealed record WorkflowFailure(string Type, string Message, string? StackTrace);

internal sealed record WorkflowParent(string? App, string? Id, string? Name);

/// <param name="Kind"><c>activity</c>, <c>timer</c>, <c>event</c> or <c>child</c>.</param>
/// <param name="Until">When the wait ends; null: without limit.</param>
internal sealed record WorkflowAwait(string Kind, string Name, DateTimeOffset Since, DateTimeOffset? Until, string? ChildId);

/// <param name="Input">As the worker was given it, normally JSON.</param>
/// <param name="Waiting">Events that wait for the next turn.</param>
/// <param name="HistoryLength">Events of the history.</param>
internal sealed record WorkflowInstanceView(string App, string Id, string Name, string Status, DateTimeOffset? CreatedAt, DateTimeOffset? UpdatedAt, string? CustomStatus, string? Input, string? Output,
    WorkflowFailure? Failure, WorkflowParent? Parent, string? RerunOf, IReadOnlyList<WorkflowAwait> Awaiting, IReadOnlyList<string> Waiting, int HistoryLength, string? TraceId);

/// <param name="Number">From 1.</param>
/// <param name="Turn">From 1; what came before the first turn has 0.</param>
/// <param name="Type">Such as <c>taskScheduled</c>.</param>
internal sealed record WorkflowEventView(int Number, int Turn, string Type, string? Name, DateTimeOffset At, JsonObject Detail, string? Input, string? Output, WorkflowFailure? Failure);

/// <param name="Number">From 1, in the order of the beginnings.</param>
/// <param name="Action">Number of the action, as a rerun takes it; null for what happened from outside.</param>
/// <param name="Turn">In which it began.</param>
/// <param name="Kind"><c>activity</c>, <c>child</c>, <c>timer</c>, <c>wait</c>, <c>event</c>, <c>send</c>, <c>start</c>, <c>end</c> and what an operator did.</param>
/// <param name="State"><c>happened</c>, <c>open</c>, <c>succeeded</c> or <c>failed</c>.</param>
internal sealed record WorkflowStepView(int Number, int? Action, int Turn, string Kind, string Name, DateTimeOffset StartedAt, double OffsetMs, double? Ms, string State, int? Attempt, bool? Compensation,
    string? Input, string? Output, WorkflowFailure? Failure, string? ChildId);

/// <param name="Turns">How many turns there were.</param>
internal sealed record WorkflowHistoryView(IReadOnlyList<WorkflowEventView> Events, IReadOnlyList<WorkflowStepView> Steps, int Turns);

/// <param name="Data">Any JSON.</param>
internal sealed record RaiseRequest(string? Event, JsonNode? Data);

internal sealed record ReasonRequest(string? Reason);

/// <param name="Output">Any JSON.</param>
internal sealed record EndRequest(JsonNode? Output);

/// <param name="From">Number of the action, as steps show it.</param>
/// <param name="Input">Another input for that action, any JSON.</param>
internal sealed record RerunRequest(uint? From, string? NewId, JsonNode? Input);

internal sealed record RerunAnswer(string App, string Id);

internal sealed record PurgeAnswer(int Removed);
