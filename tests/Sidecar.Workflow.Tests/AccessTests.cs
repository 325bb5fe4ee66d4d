using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Resources;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace DaprPlatform.Sidecar.Workflow.Tests;

/// <summary>Who may use the workflows and activities of another app.</summary>
public sealed class AccessTests : IAsyncDisposable
{
    private static readonly WorkflowSettings NoLimits = new(null, null, null, null, null, null);
    private readonly ManualTime _time = new();
    private readonly Dictionary<string, WorkflowHub> _hubs = [];
    private readonly WorkflowHub _caller;
    private readonly WorkflowHub _target;
    private IReadOnlyList<WorkflowAccessPolicy> _policies = [];
    private bool _callersAreKnown = true;

    public AccessTests()
    {
        _caller = Open("caller");
        _target = Open("target");
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("OrderWF", "OrderWF", true)]
    [InlineData("OrderWF", "orderwf", false)]
    [InlineData("Report*", "Report", true)]
    [InlineData("Report*", "ReportDaily", true)]
    [InlineData("Report*", "Report/Daily", false)]
    [InlineData("*Report*", "DailyReportOfReports", true)]
    [InlineData("*a*b", "xaxbxb", true)]
    [InlineData("*a*b", "xaxbx", false)]
    [InlineData("*", "", true)]
    [InlineData("", "a", false)]
    [InlineData("WF?", "WF1", true)]
    [InlineData("WF?", "WF", false)]
    [InlineData("WF[1-3x]", "WF2", true)]
    [InlineData("WF[1-3x]", "WFx", true)]
    [InlineData("WF[1-3x]", "WF4", false)]
    [InlineData("WF[^1-3]", "WF4", true)]
    [InlineData("WF[^1-3]", "WF1", false)]
    [InlineData("*[ab]", "cab", true)]
    [InlineData("a\\*b", "a*b", true)]
    [InlineData("a\\*b", "axb", false)]
    [InlineData("WF[1", "WF1", false)]
    [InlineData("WF[]", "WF]", false)]
    [InlineData("WF[-1]", "WF1", false)]
    [InlineData("WF\\", "WF\\", false)]
    public void Names_are_matched_as_a_whole_by_patterns(string pattern, string name, bool fits) => Assert.Equal(fits, NamePattern.Matches(pattern, name));

    [Fact]
    public async Task Without_a_policy_everything_is_allowed()
    {
        await using var here = new FakeWorker(_caller);
        await using var there = new FakeWorker(_target);
        _callersAreKnown = false;
        await ScheduleAsync(here, Act.Task(0, "charge", "target", "7"), Act.Child(1, "order", "o-1", "target"));
        Assert.Equal(["charge", "order"], new[] { NameOf(await there.NextAsync()), NameOf(await there.NextAsync()) }.Order());
    }

    [Fact]
    public async Task What_no_rule_allows_fails_in_the_callers_history_and_reaches_no_worker()
    {
        _policies = [new("empty", [])];
        await using var here = new FakeWorker(_caller);
        await using var there = new FakeWorker(_target);
        await ScheduleAsync(here, Act.Task(0, "charge", "target", "7"), Act.Child(1, "order", "o-1", "target"));
        var failures = await FailuresAsync(here, 2);

        Assert.All(failures, f => Assert.Equal(("PermissionDenied", "access denied by workflow access policy", true), (f.ErrorType, f.ErrorMessage, f.IsNonRetriable)));
        Assert.False(there.HasItem);
        Assert.Null(await new WorkflowClient(_target).GetAsync("o-1", withPayloads: false, Token));
    }

    [Fact]
    public async Task Rules_of_all_policies_together_allow_the_callers_they_name_what_they_name()
    {
        _policies =
        [
            Policy("caller", [Grant("order*", "schedule")], []),
            Policy("caller", [], [Grant("charge")]),
            Policy("stranger", [Grant("*", "schedule")], [Grant("*")]),
            Policy("caller", [Grant("purge*", "purge")], []),
        ];
        await using var here = new FakeWorker(_caller);
        await using var there = new FakeWorker(_target);
        await ScheduleAsync(here, Act.Task(0, "charge", "target", ""), Act.Task(1, "refund", "target", ""), Act.Child(2, "orders", "o-1", "target"), Act.Child(3, "purgeable", "o-2", "target"));

        Assert.Equal(["charge", "orders"], new[] { NameOf(await there.NextAsync()), NameOf(await there.NextAsync()) }.Order());
        await FailuresAsync(here, 2);
        Assert.False(there.HasItem);
    }

    [Fact]
    public async Task A_policy_counts_from_the_next_call_on()
    {
        await using var here = new FakeWorker(_caller);
        await using var there = new FakeWorker(_target);
        await ScheduleAsync(here, Act.Task(0, "charge", "target", ""));
        var activity = await there.ActivityAsync();
        _policies = [new("empty", [])];
        // What is under way is not cut off.
        await there.AnswerAsync(activity, "ok");
        await here.AnswerAsync(await here.TurnAsync(), Act.Task(1, "charge", "target", ""));
        await FailuresAsync(here, 1);
    }

    [Fact]
    public async Task The_app_itself_is_never_asked()
    {
        _policies = [new("empty", [])];
        await using var there = new FakeWorker(_target);
        var own = new WorkflowClient(_target);
        var started = own.StartAsync("mine", "order", null, null, null, Token);
        await there.AnswerAsync(await there.TurnAsync(), Act.Task(0, "charge", "target", ""), Act.Child(1, "kid", "kid-1", "target"));
        await started;
        Assert.Equal(["charge", "kid"], new[] { NameOf(await there.NextAsync()), NameOf(await there.NextAsync()) }.Order());
        Assert.NotNull(await own.GetAsync("mine", withPayloads: false, Token));
    }

    [Fact]
    public async Task A_caller_whose_identity_is_only_said_is_refused_as_soon_as_there_is_a_policy()
    {
        _callersAreKnown = false;
        _policies = [Policy("caller", [Grant("*", "schedule")], [Grant("*")])];
        await using var here = new FakeWorker(_caller);
        await ScheduleAsync(here, Act.Task(0, "charge", "target", ""), Act.Child(1, "order", "o-1", "target"));
        await FailuresAsync(here, 2);
    }

    [Theory]
    [InlineData("terminate")]
    [InlineData("raise")]
    [InlineData("pause")]
    [InlineData("resume")]
    [InlineData("purge")]
    [InlineData("get")]
    [InlineData("rerun")]
    public async Task Each_operation_on_an_instance_needs_its_own_grant(string operation)
    {
        await using var there = new FakeWorker(_target);
        var started = new WorkflowClient(_target).StartAsync("o-1", "order", null, null, null, Token);
        await there.AnswerAsync(await there.TurnAsync(), Act.Task(0, "step"));
        await started;
        var engine = new WorkflowClient(_target).For(new WorkflowCaller("caller", IsKnown: true));

        var all = new[] { "schedule", "terminate", "raise", "pause", "resume", "purge", "get", "rerun" };
        _policies = [Policy("caller", [Grant("order", [.. all.Except([operation])]), Grant("other", operation)], [])];
        var denied = await Assert.ThrowsAsync<WorkflowException>(() => Run("o-1"));
        Assert.Equal((WorkflowRefusal.Denied, WorkflowAccess.Refusal), (denied.Refusal, denied.Message));
        // Nor does it tell who may not see it whether an instance is there.
        Assert.Equal(WorkflowRefusal.Denied, (await Assert.ThrowsAsync<WorkflowException>(() => Run("nowhere"))).Refusal);

        _policies = [Policy("caller", [Grant("ord?r", operation)], [])];
        await AllowedAsync();

        async Task AllowedAsync()
        {
            // Those that wait for a turn are under way once the worker has it.
            var run = Run("o-1");
            if (operation is "purge" or "rerun")
                Assert.NotEqual(WorkflowRefusal.Denied, (await Assert.ThrowsAsync<WorkflowException>(() => run)).Refusal);
            else if (operation is "get")
                await run;
            else
                await there.AnswerAsync((await NextTurnAsync(there)));
        }

        Task Run(string id) => operation switch
        {
            "terminate" => engine.TerminateAsync(id, null, recurse: true, Token),
            "raise" => engine.RaiseAsync(id, "ping", null, Token),
            "pause" => engine.SuspendAsync(id, null, Token),
            "resume" => engine.ResumeAsync(id, null, Token),
            "purge" => engine.PurgeAsync(id, recurse: true, force: false, Token),
            "get" => engine.GetAsync(id, withPayloads: false, Token),
            _ => engine.RerunAsync(new RerunWorkflowFromEventRequest { SourceInstanceID = id }, Token),
        };
    }

    [Fact]
    public async Task A_parent_may_end_and_remove_the_child_that_it_was_allowed_to_schedule()
    {
        _policies = [Policy("caller", [Grant("order", "schedule")], [])];
        await using var here = new FakeWorker(_caller);
        await using var there = new FakeWorker(_target);
        await ScheduleAsync(here, Act.Child(0, "order", "o-1", "target"));
        await there.AnswerAsync(await there.TurnAsync());
        var caller = new WorkflowClient(_caller);
        var terminated = caller.TerminateAsync("parent", "enough", recurse: true, Token);
        // The parent's end is committed once the child has been told.
        var answered = here.AnswerAsync(await here.TurnAsync());
        await there.AnswerAsync(await there.TurnAsync());
        await answered;
        await terminated;
        await new WorkflowClient(_target).WaitAsync("o-1", forEnd: true, withPayloads: false, Token);
        Assert.Equal(2, await caller.PurgeAsync("parent", recurse: true, force: false, Token));
    }

    [Fact]
    public async Task A_termination_ends_the_parent_even_where_its_child_may_not_be_reached()
    {
        await using var here = new FakeWorker(_caller);
        await using var there = new FakeWorker(_target);
        await ScheduleAsync(here, Act.Child(0, "order", "o-1", "target"));
        await there.AnswerAsync(await there.TurnAsync());
        (_callersAreKnown, _policies) = (false, [new("empty", [])]);
        var terminated = new WorkflowClient(_caller).TerminateAsync("parent", "enough", recurse: true, Token);
        await here.AnswerAsync(await here.TurnAsync());
        await terminated;
        Assert.Equal(OrchestrationStatus.Running, (await new WorkflowClient(_target).GetAsync("o-1", withPayloads: false, Token))!.WorkflowStatus);
    }

    [Theory]
    [InlineData("activity", "Completed", "check", null, true)]
    [InlineData("activity", "Completed", "check", "caller", true)]
    [InlineData("activity", "Completed", "check", "target", false)]
    [InlineData("activity", "Completed", "open", null, false)]
    [InlineData("activity", "Started", "open", null, true)]
    [InlineData("workflow", "Started", "workflow", null, true)]
    [InlineData("workflow", "Completed", "workflow", null, false)]
    [InlineData("event", "Raised", "approval", null, true)]
    [InlineData("event", "Raised", "other", null, false)]
    public async Task What_a_rule_requires_must_be_in_the_history_that_the_caller_shows(string type, string status, string name, string? app, bool allowed)
    {
        var requirement = new WorkflowAccessRequirement(type, status, name, app);
        _policies = [Policy("caller", [], [new WorkflowAccessGrant("charge", [], [requirement])])];
        await using var here = new FakeWorker(_caller);
        await using var there = new FakeWorker(_target);
        await ScheduleAsync(here, Act.Task(0, "check"), Act.Task(1, "open"));
        var check = await here.ActivityAsync();
        await here.ActivityAsync();
        var answered = here.AnswerAsync(check, "ok");
        await here.AnswerAsync(await here.TurnAsync());
        await answered;
        var raised = new WorkflowClient(_caller).RaiseAsync("parent", "approval", null, Token);
        var charge = Act.Task(2, "charge", "target", "");
        charge.ScheduleTask.HistoryPropagationScope = HistoryPropagationScope.OwnHistory;
        await here.AnswerAsync(await here.TurnAsync(), charge, Act.Task(3, "charge", "target", "unshown"));
        await raised;

        // The second call shows nothing, so that it never fits.
        await FailuresAsync(here, allowed ? 1 : 2);
        if (allowed)
            Assert.Equal("", (await there.ActivityAsync()).Input);
        Assert.False(there.HasItem);
    }

    [Fact]
    public void Malformed_requirements_make_the_rule_allow_nothing()
    {
        Assert.Null(Read("""{"name":"a","requires":["x"]}"""));
        Assert.Null(Read("""{"name":"a","requires":[{"eventType":"activity","status":"Raised","name":"x"}]}"""));
        Assert.Null(Read("""{"name":"a","requires":[{"eventType":"event","status":"Started","name":"x"}]}"""));
        Assert.Null(Read("""{"name":"a","requires":[{"eventType":"activity","status":"Started"}]}"""));
        Assert.Equal([new WorkflowAccessRequirement("event", "Raised", "x", "app")], Read("""{"name":"a","requires":[{"eventType":"event","status":"Raised","name":"x","appID":"app"}]}""")![0].Requires);

        static IReadOnlyList<WorkflowAccessGrant>? Read(string json) => WorkflowAccessGrant.Read([System.Text.Json.Nodes.JsonNode.Parse(json)]);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var hub in _hubs.Values)
            await hub.DisposeAsync();
    }

    private static string NameOf(WorkItem item) => item.ActivityRequest?.Name ?? item.WorkflowRequest.NewEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.Name;

    private static WorkflowAccessGrant Grant(string name, params string[] operations) => new(name, operations, []);

    private static WorkflowAccessPolicy Policy(string caller, IReadOnlyList<WorkflowAccessGrant> workflows, IReadOnlyList<WorkflowAccessGrant> activities) =>
        new("policy", [new WorkflowAccessRule([caller], workflows, activities)]);

    private static async Task<WorkflowRequest> NextTurnAsync(FakeWorker worker)
    {
        while (true)
        {
            if ((await worker.NextAsync()).WorkflowRequest is { } turn)
                return turn;
        }
    }

    // Failures come in as many turns as they like.
    private static async Task<List<TaskFailureDetails>> FailuresAsync(FakeWorker worker, int count)
    {
        var failures = new List<TaskFailureDetails>();
        while (failures.Count < count)
        {
            var turn = await NextTurnAsync(worker);
            failures.AddRange(turn.NewEvents.Select(e => e.TaskFailed?.FailureDetails ?? e.ChildWorkflowInstanceFailed?.FailureDetails).OfType<TaskFailureDetails>());
            await worker.AnswerAsync(turn);
        }

        Assert.Equal(count, failures.Count);
        return failures;
    }

    private async Task ScheduleAsync(FakeWorker worker, params WorkflowAction[] actions)
    {
        var started = new WorkflowClient(_caller).StartAsync("parent", "workflow", null, null, null, Token);
        await worker.AnswerAsync(await worker.TurnAsync(), actions);
        await started;
    }

    private WorkflowHub Open(string app)
    {
        var hub = new WorkflowHub(new WorkflowStorage(new DiskStore(), app, "default"), app, NoLimits, _time, NullLoggerFactory.Instance, peers: new Neighbours(this, app))
        {
            Access = new WorkflowAccess(() => app == "target" ? _policies : [], NullLogger.Instance),
        };
        _hubs.Add(app, hub);
        return hub;
    }

    private sealed class Neighbours(AccessTests test, string app) : IWorkflowPeers
    {
        public ValueTask<IWorkflowEngine?> FindAsync(string appId, CancellationToken cancellationToken) =>
            new(test._hubs.TryGetValue(appId, out var hub) ? new WorkflowClient(hub).For(new WorkflowCaller(app, test._callersAreKnown)) : null);
    }
}
