using System.Collections.Concurrent;
using DaprPlatform.Sidecar.Actors.Placement;
using DaprPlatform.Sidecar.Actors.Wire;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Invocation;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>The other sidecars that host actors: those of this engine by reference, those of other processes by one request to their internal port.</summary>
internal sealed class ActorPeers(Engine engine)
{
    private const string Path = "/actors/call";
    private readonly ConcurrentDictionary<string, NeighbourActors> _neighbours = engine.Shared("actors", static _ => new ConcurrentDictionary<string, NeighbourActors>(StringComparer.Ordinal));

    public IActorSidecar Of(ActorHost host) => _neighbours.TryGetValue(host.Id, out var neighbour) ? neighbour : new RemoteActors(engine.Peers.Of(new Uri(host.Address)));

    /// <summary>Makes a sidecar's actors known to the engine and answers other processes.</summary>
    public void Add(SidecarRuntime runtime, ActorHost self, LocalActors actors)
    {
        _neighbours[self.Id] = new NeighbourActors(actors);
        runtime.InternalRoutes[Path] = http => HandleAsync(actors, http);
    }

    public void Remove(ActorHost self) => _neighbours.TryRemove(self.Id, out _);

    private static async Task HandleAsync(LocalActors actors, HttpContext http)
    {
        // The limit of a body held for the sidecar where the call came in.
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null;
        var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body, http.RequestAborted).ConfigureAwait(false);
        var message = ActorCallMessage.Parser.ParseFrom(body.GetBuffer(), 0, (int)body.Length);
        var answer = new ActorAnswerMessage();
        try
        {
            if (message.Reminder is { } reminder)
            {
                await actors.RemindAsync(message.Type, message.Id, new ActorTick(reminder.Name, "", "", "", reminder.HasData ? reminder.Data.Memory : default(ReadOnlyMemory<byte>?)), http.RequestAborted).ConfigureAwait(false);
            }
            else
            {
                var result = await actors.InvokeAsync(FromWire(message), http.RequestAborted).ConfigureAwait(false);
                foreach (var (name, value) in result.Headers)
                    answer.Headers.Add(new ActorHeader { Name = name, Value = value });
                answer.Body = UnsafeByteOperations.UnsafeWrap(result.Body);
            }
        }
        catch (ActorMovedException)
        {
            answer.Failure = new ActorFailureMessage { Kind = ActorFailureMessage.Types.Kind.Moved };
        }
        catch (ActorCallException e)
        {
            answer.Failure = new ActorFailureMessage { Message = e.Message, Status = e.HttpStatus ?? 0, Permanent = e.IsPermanent };
        }
        catch (ApiException e)
        {
            answer.Failure = new ActorFailureMessage { Kind = e.ErrorCode == "ERR_ACTOR_STACK_DEPTH" ? ActorFailureMessage.Types.Kind.TooDeep : ActorFailureMessage.Types.Kind.Closed, Message = e.Message };
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            return;
        }

        var bytes = answer.ToByteArray();
        http.Response.ContentLength = bytes.Length;
        await http.Response.BodyWriter.WriteAsync(bytes, http.RequestAborted).ConfigureAwait(false);
    }

    private static ActorCall FromWire(ActorCallMessage message)
    {
        var headers = new KeyValuePair<string, StringValues>[message.Headers.Count];
        for (var i = 0; i < headers.Length; i++)
            headers[i] = KeyValuePair.Create(message.Headers[i].Name, new StringValues(message.Headers[i].Value));
        return new ActorCall(message.Type, message.Id, message.Method, message.Query, headers, message.Body.Memory)
        {
            Caller = new Caller(message.Caller, message.CallerNamespace),
            Trace = new TraceHeaders(message.Traceparent, message.Tracestate, message.Baggage),
        };
    }

    /// <summary>The actors of a sidecar that is another process.</summary>
    private sealed class RemoteActors(UpstreamTransport peer) : IActorSidecar
    {
        public async ValueTask<ActorAnswer> InvokeAsync(ActorCall call, CancellationToken cancellationToken)
        {
            var message = new ActorCallMessage
            {
                Type = call.Type, Id = call.Id, Method = call.Method, Query = call.Query, Body = UnsafeByteOperations.UnsafeWrap(call.Body),
                Caller = call.Caller.AppId, CallerNamespace = call.Caller.Namespace,
                Traceparent = call.Trace.TraceParent ?? "", Tracestate = call.Trace.TraceState ?? "", Baggage = call.Trace.Baggage ?? "",
            };
            foreach (var (name, values) in call.Headers)
            {
                foreach (var value in values)
                    message.Headers.Add(new ActorHeader { Name = name, Value = value ?? "" });
            }

            var answer = await SendAsync(message, cancellationToken).ConfigureAwait(false);
            var headers = new KeyValuePair<string, string>[answer.Headers.Count];
            for (var i = 0; i < headers.Length; i++)
                headers[i] = KeyValuePair.Create(answer.Headers[i].Name, answer.Headers[i].Value);
            return new ActorAnswer(headers, answer.Body.Memory);
        }

        public async ValueTask<bool> RemindAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken)
        {
            var message = new ActorCallMessage { Type = type, Id = id, Reminder = new ActorReminderMessage { Name = tick.Name } };
            if (tick.Data is { } data)
                message.Reminder.Data = UnsafeByteOperations.UnsafeWrap(data);
            await SendAsync(message, cancellationToken).ConfigureAwait(false);
            return true;
        }

        private async ValueTask<ActorAnswerMessage> SendAsync(ActorCallMessage message, CancellationToken cancellationToken)
        {
            await using var response = await peer.SendAsync(new UpstreamRequest("POST", Path, [], RequestBody.Of(message.ToByteArray())), cancellationToken).ConfigureAwait(false);
            if (response.Status != StatusCodes.Status200OK)
                throw new UpstreamException($"the sidecar of the actor answered {response.Status.ToString(System.Globalization.CultureInfo.InvariantCulture)}", connected: true);
            byte[] bytes;
            try
            {
                bytes = await response.ReadAllAsync(long.MaxValue, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or HttpRequestException)
            {
                throw new UpstreamException(e.Message, connected: true, e);
            }

            var answer = ActorAnswerMessage.Parser.ParseFrom(bytes);
            if (answer.Failure is not { } failure)
                return answer;
            throw failure.Kind switch
            {
                ActorFailureMessage.Types.Kind.Moved => new ActorMovedException(message.Type, message.Id),
                ActorFailureMessage.Types.Kind.TooDeep => ActorErrors.StackDepth(),
                ActorFailureMessage.Types.Kind.Closed => ActorErrors.Closed(),
                _ => new ActorCallException(new ActorCallException(failure.Message).RemoteMessage, failure.Status == 0 ? null : failure.Status, failure.Permanent),
            };
        }
    }
}
