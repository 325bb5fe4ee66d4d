using System.Text;
using DaprPlatform.Sidecar.Bindings;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Pluggable;
using DaprPlatform.Sidecar.PubSub;
using DaprPlatform.Sidecar.Secrets;
using DaprPlatform.Sidecar.State;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Components.Tests;

/// <summary>Components that are programs of their own, found by their sockets.</summary>
public sealed class PluggableTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("plug-");
    private ComponentProgram _program = null!;
    private Engine _engine = null!;
    private SidecarRuntime _runtime = null!;

    public async ValueTask InitializeAsync()
    {
        var sockets = _folder.CreateSubdirectory("s").FullName;
        _program = await ComponentProgram.StartAsync(Path.Combine(sockets, "own.sock"));
        await File.WriteAllTextAsync(Path.Combine(sockets, "no-socket.txt"), "x");
        var resources = _folder.CreateSubdirectory("r").FullName;
        foreach (var kind in new[] { "state", "pubsub", "secretstores", "bindings" })
        {
            await File.WriteAllTextAsync(Path.Combine(resources, kind + ".yaml"),
                $"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: my{kind}\nspec:\n  type: {kind}.own\n  version: v1\n  initTimeout: 60s\n  metadata:\n  - name: colour\n    value: blue\n");
        }

        _engine = await Engine.OpenAsync(new EngineOptions { DataDirectory = Path.Combine(_folder.FullName, "d") });
        _runtime = Runtime(resources);
        await _runtime.LoadAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _runtime.DisposeAsync();
        await _engine.DisposeAsync();
        await _program.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Sidecars_without_pluggable_components_may_end_at_the_same_moment()
    {
        const int Sidecars = 4;
        using var together = new Barrier(Sidecars);
        await Task.WhenAll(Enumerable.Range(0, Sidecars).Select(_ => Task.Factory.StartNew(() =>
        {
            together.SignalAndWait(TestContext.Current.CancellationToken);
            for (var i = 0; i < 20_000; i++)
                Assert.True(PluggableComponents.Empty.DisposeAsync().IsCompletedSuccessfully);
        }, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
    }

    [Fact]
    public void They_are_loaded_with_what_the_resource_says()
    {
        Assert.Equal(["mybindings bindings.own", "mypubsub pubsub.own", "mysecretstores secretstores.own", "mystate state.own"], _runtime.Components.Loaded.Select(c => $"{c.Name} {c.Type}"));
        Assert.Equal("blue", _program.Properties["colour"]);
        Assert.StartsWith("my", _program.Instance, StringComparison.Ordinal);
    }

    [Fact]
    public async Task State_is_kept_with_its_etag()
    {
        Assert.True(_runtime.Components.TryGet<IStateStore>("mystate", out var store));
        Assert.Equal(StateFeatures.ETag | StateFeatures.Ttl | StateFeatures.Query, store.Features);
        Assert.Null(await store.GetAsync("k", Consistency.Strong, new Dictionary<string, string>(), default));

        await store.WriteAsync(new StateWrite(StateOperationKind.Upsert, "k", "v"u8.ToArray()), default);
        var item = (await store.GetAsync("k", Consistency.Strong, new Dictionary<string, string>(), default))!;
        Assert.Equal(("v", "1"), (Encoding.UTF8.GetString(item.Value.Span), item.ETag));
        await Assert.ThrowsAsync<ETagException>(() => store.WriteAsync(new StateWrite(StateOperationKind.Upsert, "k", "w"u8.ToArray(), "9"), default).AsTask());

        // The program has no bulk read: it is asked one by one.
        var many = await store.GetManyAsync(["k", "none"], new Dictionary<string, string>(), default);
        Assert.NotNull(many[0]);
        Assert.Null(many[1]);
        await store.WriteAsync(new StateWrite(StateOperationKind.Delete, "k"), default);
        Assert.Null(await store.GetAsync("k", Consistency.Strong, new Dictionary<string, string>(), default));
    }

    [Fact]
    public async Task A_query_reaches_the_program_as_it_was_asked()
    {
        Assert.True(_runtime.Components.TryGet<IStateStore>("mystate", out var store));
        await store.WriteAsync(new StateWrite(StateOperationKind.Upsert, "k", "v"u8.ToArray()), default);
        StateQuery Query(string json) => StateQuery.Parse(Encoding.UTF8.GetBytes(json), new Dictionary<string, string> { ["m"] = "n" });

        var answer = await store.QueryAsync(Query("""{"filter":{"EQ":{"key":"k"}},"sort":[{"key":"a","order":"DESC"},{"key":"b"}],"page":{"limit":3,"token":"t"}}"""), default);

        Assert.Equal(("k", "v", "a Desc,b Asc;3;t;n"), (answer.Items[0].Key, Encoding.UTF8.GetString(answer.Items[0].Item.Value.Span), answer.Token));
        var refused = await Assert.ThrowsAsync<StateException>(() => store.QueryAsync(Query("""{"filter":{"AND":[{"IN":{"a":[1,"x"]}},{"GTE":{"b":2}}]}}"""), default).AsTask());
        Assert.Contains("""AND[{"IN":{"a":[1,"x"]}},{"GTE":{"b":2}}]""", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Messages_are_delivered_and_answered()
    {
        Assert.True(_runtime.Components.TryGet<IPubSub>("mypubsub", out var broker));
        var seen = new TaskCompletionSource<PubSubMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        var subscription = await broker.SubscribeAsync(new SubscribeRequest("orders", new Dictionary<string, string>(), false), (message, _) =>
        {
            seen.TrySetResult(message);
            return ValueTask.FromResult<string?>("not now");
        }, default);
        Assert.Equal("orders", (await _program.Acknowledged.Reader.ReadAsync().AsTask().WaitAsync(Patience)).Topic.Name);

        await broker.PublishAsync(new PubSubMessage("orders", "x"u8.ToArray()), default);

        Assert.Equal("orders", (await seen.Task.WaitAsync(Patience)).Topic);
        var answer = await _program.Acknowledged.Reader.ReadAsync().AsTask().WaitAsync(Patience);
        Assert.Equal(("m1", "not now"), (answer.AckMessageId, answer.AckError.Message));
        await subscription.DisposeAsync().AsTask().WaitAsync(Patience);
    }

    [Fact]
    public async Task Disposing_a_subscription_waits_for_its_delivery_and_answers_it()
    {
        Assert.True(_runtime.Components.TryGet<IPubSub>("mypubsub", out var broker));
        var (begun, end) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously));
        var subscription = await broker.SubscribeAsync(new SubscribeRequest("orders", new Dictionary<string, string>(), false), async (_, _) =>
        {
            begun.TrySetResult();
            return await end.Task;
        }, default);
        await _program.Acknowledged.Reader.ReadAsync().AsTask().WaitAsync(Patience);
        await broker.PublishAsync(new PubSubMessage("orders", "x"u8.ToArray()), default);
        await begun.Task.WaitAsync(Patience);

        var disposed = subscription.DisposeAsync().AsTask();
        Assert.False(disposed.IsCompleted);
        end.SetResult(null);

        Assert.Null((await _program.Acknowledged.Reader.ReadAsync().AsTask().WaitAsync(Patience)).AckError);
        await disposed.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_message_that_comes_while_a_subscription_ends_is_refused()
    {
        Assert.True(_runtime.Components.TryGet<IPubSub>("mypubsub", out var broker));
        var (begun, end) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously));
        var subscription = await broker.SubscribeAsync(new SubscribeRequest("orders", new Dictionary<string, string>(), false), async (_, _) =>
        {
            begun.TrySetResult();
            return await end.Task;
        }, default);
        await _program.Acknowledged.Reader.ReadAsync().AsTask().WaitAsync(Patience);
        _program.Messages.Writer.TryWrite(new() { Id = "1", TopicName = "orders" });
        await begun.Task.WaitAsync(Patience);

        var disposed = subscription.DisposeAsync().AsTask();
        _program.Messages.Writer.TryWrite(new() { Id = "2", TopicName = "orders" });
        var refused = await _program.Acknowledged.Reader.ReadAsync().AsTask().WaitAsync(Patience);
        end.SetResult(null);
        var answered = await _program.Acknowledged.Reader.ReadAsync().AsTask().WaitAsync(Patience);

        Assert.Equal(("2", "subscription is closed"), (refused.AckMessageId, refused.AckError.Message));
        Assert.Equal(("1", null), (answered.AckMessageId, answered.AckError));
        await disposed.WaitAsync(Patience);
    }

    [Fact]
    public async Task Secrets_are_read()
    {
        Assert.True(_runtime.Components.TryGet<ISecretStore>("mysecretstores", out var secrets));
        Assert.Equal("secret of db", (await secrets.GetAsync("db", new Dictionary<string, string>(), default))!["db"]);
    }

    [Fact]
    public async Task A_binding_is_invoked_and_its_events_are_answered()
    {
        Assert.True(_runtime.Components.TryGet<IOutputBinding>("mybindings", out var output));
        Assert.Equal(["shout"], output.Operations);
        Assert.Equal("HELLO", Encoding.UTF8.GetString((await output.InvokeAsync(new BindingRequest("shout", "hello"u8.ToArray(), new Dictionary<string, string>()), default))!.Data.Span));

        Assert.True(_runtime.Components.TryGet<IInputBinding>("mybindings", out var input));
        await using var running = await input.BeginAsync((e, _) => e.Data.Length > 2 ? throw new InvalidOperationException("too long") : ValueTask.FromResult<ReadOnlyMemory<byte>>("seen"u8.ToArray()), default);
        _program.Events.Writer.TryWrite(new() { MessageId = "1", Data = Google.Protobuf.ByteString.CopyFromUtf8("ok") });
        var taken = await _program.Answered.Reader.ReadAsync().AsTask().WaitAsync(Patience);
        Assert.Equal(("seen", null), (taken.ResponseData.ToStringUtf8(), taken.ResponseError));
        _program.Events.Writer.TryWrite(new() { MessageId = "2", Data = Google.Protobuf.ByteString.CopyFromUtf8("long") });
        Assert.Equal("too long", (await _program.Answered.Reader.ReadAsync().AsTask().WaitAsync(Patience)).ResponseError.Message);
    }

    [Fact]
    public async Task An_event_that_comes_while_a_binding_ends_is_refused_and_the_last_one_is_answered()
    {
        Assert.True(_runtime.Components.TryGet<IInputBinding>("mybindings", out var input));
        var (begun, end) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource<ReadOnlyMemory<byte>>(TaskCreationOptions.RunContinuationsAsynchronously));
        var running = await input.BeginAsync(async (_, _) =>
        {
            begun.TrySetResult();
            return await end.Task;
        }, default);
        _program.Events.Writer.TryWrite(new() { MessageId = "1" });
        await begun.Task.WaitAsync(Patience);

        var disposed = running.DisposeAsync().AsTask();
        _program.Events.Writer.TryWrite(new() { MessageId = "2" });
        var refused = await _program.Answered.Reader.ReadAsync().AsTask().WaitAsync(Patience);
        end.SetResult("done"u8.ToArray());
        var answered = await _program.Answered.Reader.ReadAsync().AsTask().WaitAsync(Patience);

        Assert.Equal(("2", "input binding is closed"), (refused.MessageId, refused.ResponseError.Message));
        Assert.Equal(("1", "done", null), (answered.MessageId, answered.ResponseData.ToStringUtf8(), answered.ResponseError));
        await disposed.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_program_that_refuses_to_begin_is_an_error_of_the_component()
    {
        var resources = _folder.CreateSubdirectory("refused").FullName;
        await File.WriteAllTextAsync(Path.Combine(resources, "a.yaml"), "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: x\nspec:\n  type: state.own\n  version: v1\n  metadata:\n  - name: refuse\n    value: \"1\"\n");
        await using var runtime = Runtime(resources);

        var refused = await Assert.ThrowsAsync<ComponentException>(() => runtime.LoadAsync(CancellationToken.None));

        const string Failed = "[INIT_COMPONENT_FAILURE]: initialization error occurred for x (state.own/v1): ";
        Assert.StartsWith($"process component x error: {Failed}{Failed}", refused.Message, StringComparison.Ordinal);
        Assert.Contains("it will not", refused.Message, StringComparison.Ordinal);
    }

    private SidecarRuntime Runtime(string resources) => new(_engine, new SidecarOptions
    {
        AppId = "plugged",
        ResourcesPaths = [resources],
        Environment = new Dictionary<string, string> { ["DAPR_COMPONENTS_SOCKETS_FOLDER"] = Path.Combine(_folder.FullName, "s") },
    }, NullLoggerFactory.Instance);
}
