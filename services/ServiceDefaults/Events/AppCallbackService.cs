using System.Diagnostics.Metrics;
using System.Text;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Contracts.Events;
using DaprPlatform.ServiceDefaults.Metrics;
using DaprPlatform.ServiceDefaults.Problems;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Status = Dapr.Proto.Runtime.V1.TopicEventResponse.Types.TopicEventResponseStatus;

namespace DaprPlatform.ServiceDefaults.Events;

/// <summary>Where the sidecar delivers events to an app that speaks gRPC.</summary>
internal sealed partial class AppCallbackService : AppCallback.AppCallbackBase
{
    // Where components/subscriptions.yaml routes what it was not asked for.
    private const string Ignored = "/events/ignored";
    // Why an event is no success, for whoever looks at its dead letter. A sidecar that does not know the trailer passes over it.
    private const string CauseTrailer = "event-cause-bin";
    private const int LongestCause = 500;
    private readonly Dictionary<string, EventRoute> _routes;
    private readonly JobRoute[] _jobs;
    private readonly IServiceProvider _provider;
    private readonly ILogger<AppCallbackService> _logger;
    private readonly string _service;
    private readonly Counter<long> _events;

    public AppCallbackService(
        IEnumerable<EventRoute> routes,
        IEnumerable<JobRoute> jobs,
        IServiceProvider provider,
        IMeterFactory meters,
        ServiceName service,
        ILogger<AppCallbackService> logger)
    {
        _jobs = [.. jobs];
        _routes = routes.ToDictionary(r => r.Topic, StringComparer.Ordinal);
        _provider = provider;
        _logger = logger;
        _service = service.Value;
        _events = meters.Create("DaprPlatform.Events").CreateCounter<long>("events_received_total", description: "Events delivered, by what became of them.");
    }

    public override async Task<TopicEventResponse> OnTopicEvent(TopicEventRequest request, ServerCallContext context)
    {
        var status = await HandleAsync(request, context);
        _events.Add(1, new("service", _service), new("topic", _routes.ContainsKey(request.Topic) ? request.Topic : "unknown"), new("status", status.ToString()));
        return new TopicEventResponse { Status = status };
    }

    public override async Task<TopicEventBulkResponse> OnBulkTopicEvent(TopicEventBulkRequest request, ServerCallContext context)
    {
        var response = new TopicEventBulkResponse();
        var statuses = await HandleManyAsync(request, context);
        for (var i = 0; i < statuses.Length; i++)
            response.Statuses.Add(new TopicEventBulkResponseEntry { EntryId = request.Entries[i].EntryId, Status = statuses[i] });
        foreach (var (status, count) in statuses.CountBy(s => s))
            _events.Add(count, new("service", _service), new("topic", _routes.ContainsKey(request.Topic) ? request.Topic : "unknown"), new("status", status.ToString()));
        return response;
    }

    public override async Task<JobEventResponse> OnJobEvent(JobEventRequest request, ServerCallContext context)
    {
        var name = request.Name.Length > 0 ? request.Name : request.Method.StartsWith("job/", StringComparison.Ordinal) ? request.Method[4..] : request.Method;
        var route = _jobs.FirstOrDefault(j => name.StartsWith(j.Prefix, StringComparison.Ordinal))
            ?? throw Refusals.NotFound("job-not-found", $"Nothing here takes the job {name}.");
        await route.Handle(_provider, context.CancellationToken);
        return new JobEventResponse();
    }

    // What the app consumes is declared in components/, with its dead-letter topics.
    public override Task<ListTopicSubscriptionsResponse> ListTopicSubscriptions(Empty request, ServerCallContext context) =>
        Task.FromResult(new ListTopicSubscriptionsResponse());

    public override Task<ListInputBindingsResponse> ListInputBindings(Empty request, ServerCallContext context) =>
        Task.FromResult(new ListInputBindingsResponse());

    private async Task<Status> HandleAsync(TopicEventRequest request, ServerCallContext call)
    {
        var cancellationToken = call.CancellationToken;
        if (request.PubsubName != PubSub.Name || !_routes.TryGetValue(request.Topic, out var route))
        {
            LogUnknown(_logger, request.PubsubName, request.Topic);
            Explain(call, $"Nothing in {_service} takes topic {request.Topic} of {request.PubsubName}");
            return Status.Drop;
        }
        if (request.Path == Ignored)
            return Status.Success;
        try
        {
            await route.Dispatch(_provider, request.Data.Memory, new EventContext(request.Id, request.Type, request.Source), cancellationToken);
            return Status.Success;
        }
        catch (MalformedEventException e)
        {
            LogMalformed(_logger, request.Id, request.Topic, e.Message);
            Explain(call, e.Message);
            return Status.Drop;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            LogFailed(_logger, e, request.Id, request.Topic);
            // An exception around another says little: "An error occurred while saving".
            var innermost = e.GetBaseException();
            Explain(call, $"{innermost.GetType().Name}: {innermost.Message}");
            return Status.Retry;
        }
    }

    private async Task<Status[]> HandleManyAsync(TopicEventBulkRequest request, ServerCallContext call)
    {
        var statuses = new Status[request.Entries.Count];
        if (request.PubsubName != PubSub.Name || !_routes.TryGetValue(request.Topic, out var route))
        {
            LogUnknown(_logger, request.PubsubName, request.Topic);
            Explain(call, $"Nothing in {_service} takes topic {request.Topic} of {request.PubsubName}");
            Array.Fill(statuses, Status.Drop);
            return statuses;
        }
        if (request.Path == Ignored)
            return statuses;
        // An entry that is no CloudEvent has no data, and is refused as malformed.
        var events = request.Entries.Select(Read).ToList();
        var failures = route.DispatchMany is { } many
            ? await many(_provider, events, call.CancellationToken)
            : await EventBatches.OneByOneAsync(route, _provider, events, call.CancellationToken);
        for (var i = 0; i < statuses.Length; i++)
        {
            statuses[i] = failures[i] switch { null => Status.Success, MalformedEventException => Status.Drop, _ => Status.Retry };
            if (failures[i] is MalformedEventException malformed)
                LogMalformed(_logger, events[i].Context.Id, request.Topic, malformed.Message);
            else if (failures[i] is { } failure)
                LogFailed(_logger, failure, events[i].Context.Id, request.Topic);
        }
        // One cause has to do for all of them.
        if (failures.FirstOrDefault(f => f is not null)?.GetBaseException() is { } first)
            Explain(call, first is MalformedEventException || failures.FirstOrDefault(f => f is not null) is MalformedEventException ? failures.First(f => f is not null)!.Message : $"{first.GetType().Name}: {first.Message}");
        return statuses;
    }

    private static RawEvent Read(TopicEventBulkRequestEntry entry) =>
        entry.CloudEvent is { } said
            ? new RawEvent(said.Data.Memory, new EventContext(said.Id, said.Type, said.Source, said.Extensions?.Fields.GetValueOrDefault("traceparent")?.StringValue))
            : new RawEvent(default, new EventContext("", "", ""));

    private static void Explain(ServerCallContext call, string cause) =>
        call.ResponseTrailers.Add(CauseTrailer, Encoding.UTF8.GetBytes(cause.Length <= LongestCause ? cause : cause[..LongestCause]));

    [LoggerMessage(1, LogLevel.Error, "Nothing here takes topic {Topic} of {PubSub}")]
    private static partial void LogUnknown(ILogger logger, string pubSub, string topic);

    [LoggerMessage(2, LogLevel.Error, "Event {Id} of {Topic} goes to the dead-letter topic: {Reason}")]
    private static partial void LogMalformed(ILogger logger, string id, string topic, string reason);

    [LoggerMessage(3, LogLevel.Warning, "Event {Id} of {Topic} is to be delivered again")]
    private static partial void LogFailed(ILogger logger, Exception exception, string id, string topic);
}

/// <summary>The sidecar's health probe of the app (<c>enableAppHealthCheck</c>).</summary>
internal sealed class AppHealthService : AppCallbackHealthCheck.AppCallbackHealthCheckBase
{
    public override Task<HealthCheckResponse> HealthCheck(Empty request, ServerCallContext context) => Task.FromResult(new HealthCheckResponse());
}
