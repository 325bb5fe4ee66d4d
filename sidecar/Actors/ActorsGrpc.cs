using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Actors;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Invocation;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.State;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>The gRPC face of actors. Data of timers and reminders are bytes here; the app gets them as a JSON string in base64.</summary>
internal sealed partial class DaprGrpcService
{
    private ActorsApi Actors => field ??= _runtime.Block<ActorsApi>();

    public override Task<InvokeActorResponse> InvokeActor(InvokeActorRequest request, ServerCallContext context) => Translated(InvokeActorAsync(request, context));

    public override Task<GetActorStateResponse> GetActorState(GetActorStateRequest request, ServerCallContext context) => Translated(GetActorStateAsync(request, context));

    public override Task<Empty> ExecuteActorStateTransaction(ExecuteActorStateTransactionRequest request, ServerCallContext context) => Translated(TransactActorAsync(request, context));

    public override Task<Empty> RegisterActorTimer(RegisterActorTimerRequest request, ServerCallContext context) => Translated(Done(() =>
        Actors.StartTimer(request.ActorType, request.ActorId, new ActorTick(request.Name, request.DueTime, request.Period, request.Callback, Base64(request.Data)), request.Ttl)));

    public override Task<Empty> UnregisterActorTimer(UnregisterActorTimerRequest request, ServerCallContext context) =>
        Translated(Done(() => Actors.StopTimer(request.ActorType, request.ActorId, request.Name)));

    public override Task<Empty> RegisterActorReminder(RegisterActorReminderRequest request, ServerCallContext context) => Translated(RegisterReminderAsync(request, context));

    public override Task<Empty> UnregisterActorReminder(UnregisterActorReminderRequest request, ServerCallContext context) => Translated(UnregisterReminderAsync(request, context));

    public override Task<UnregisterActorRemindersByTypeResponse> UnregisterActorRemindersByType(UnregisterActorRemindersByTypeRequest request, ServerCallContext context) =>
        Translated(UnregisterRemindersAsync(request, context));

    public override Task<ListActorRemindersResponse> ListActorReminders(ListActorRemindersRequest request, ServerCallContext context) => Translated(ListRemindersAsync(request, context));

    public override Task<GetActorReminderResponse> GetActorReminder(GetActorReminderRequest request, ServerCallContext context) => Translated(GetReminderAsync(request, context));

    public override async Task SubscribeActorEventsAlpha1(IAsyncStreamReader<SubscribeActorEventsRequestAlpha1> requestStream, IServerStreamWriter<SubscribeActorEventsResponseAlpha1> responseStream, ServerCallContext context)
    {
        try
        {
            await Actors.ServeAsync(requestStream, responseStream, context.CancellationToken).ConfigureAwait(false);
        }
        catch (ApiException e)
        {
            throw e.ToRpcException();
        }
    }

    private static ValueTask<Empty> Done(Action work)
    {
        try
        {
            work();
            return ValueTask.FromResult(Nothing);
        }
        catch (ApiException e)
        {
            return ValueTask.FromException<Empty>(e);
        }
    }

    // As Go writes bytes into JSON; nothing given is no data.
    private static ReadOnlyMemory<byte>? Base64(ByteString data)
    {
        if (data.IsEmpty)
            return null;
        var json = new byte[((data.Length + 2) / 3 * 4) + 2];
        json[0] = json[^1] = (byte)'"';
        System.Buffers.Text.Base64.EncodeToUtf8(data.Span, json.AsSpan(1), out _, out _);
        return json;
    }

    private static Any? Packed(ReadOnlyMemory<byte>? json) => json is { } data ? Any.Pack(new BytesValue { Value = UnsafeByteOperations.UnsafeWrap(data) }) : null;

    private async ValueTask<InvokeActorResponse> InvokeActorAsync(InvokeActorRequest request, ServerCallContext context)
    {
        Actors.Check(request.ActorType, request.ActorId);
        var method = ActorName.Method(request.Method, out var refusal);
        if (refusal is not null)
            throw new ApiException(400, StatusCode.InvalidArgument, "ERR_BAD_REQUEST", $"invalid actor method: {refusal}");
        var headers = new List<KeyValuePair<string, StringValues>>(request.Metadata.Count);
        foreach (var (name, value) in request.Metadata)
            headers.Add(KeyValuePair.Create(name, new StringValues(value)));
        var span = Span.Current;
        var call = new ActorCall(request.ActorType, request.ActorId, method, "", headers, request.Data.Memory)
        {
            Caller = _runtime.Self,
            Trace = span is not null ? TraceHeaders.Of(span) : default,
        };
        var answer = await Actors.Router.InvokeAsync(call, context.CancellationToken).ConfigureAwait(false);
        return new InvokeActorResponse { Data = UnsafeByteOperations.UnsafeWrap(answer.Body) };
    }

    private async ValueTask<GetActorStateResponse> GetActorStateAsync(GetActorStateRequest request, ServerCallContext context)
    {
        Actors.Check(request.ActorType, request.ActorId);
        var item = await Actors.State.GetAsync(request.ActorType, request.ActorId, request.Key, context.CancellationToken).ConfigureAwait(false);
        var response = new GetActorStateResponse();
        if (item is null)
            return response;
        response.Data = UnsafeByteOperations.UnsafeWrap(item.Value);
        if (item.ExpiresAt is { } expiry)
            response.Metadata["ttlExpireTime"] = StateApi.ExpireTime(expiry);
        return response;
    }

    private async ValueTask<Empty> TransactActorAsync(ExecuteActorStateTransactionRequest request, ServerCallContext context)
    {
        Actors.Check(request.ActorType, request.ActorId);
        Actors.CheckActive(request.ActorType, request.ActorId);
        var operations = new ActorOperation[request.Operations.Count];
        for (var i = 0; i < operations.Length; i++)
        {
            var operation = request.Operations[i];
            if (operation.OperationType is not ("upsert" or "delete"))
                throw StateErrors.OperationNotSupported(operation.OperationType);
            operations[i] = new ActorOperation(operation.OperationType, operation.Key, operation.Value?.Value.Memory ?? default, null, operation.Metadata, IsBinary: true);
        }

        await Actors.State.TransactAsync(request.ActorType, request.ActorId, operations, context.CancellationToken).ConfigureAwait(false);
        return Nothing;
    }

    private async ValueTask<Empty> RegisterReminderAsync(RegisterActorReminderRequest request, ServerCallContext context)
    {
        Actors.CheckReminder(request.ActorType, request.ActorId, request.Name);
        var reminder = new ReminderRequest(request.Name, request.DueTime, request.Period, request.Ttl, Base64(request.Data), !request.HasOverwrite || request.Overwrite, request.FailurePolicy);
        await Actors.Reminders.CreateAsync(request.ActorType, request.ActorId, reminder, context.CancellationToken).ConfigureAwait(false);
        return Nothing;
    }

    private async ValueTask<Empty> UnregisterReminderAsync(UnregisterActorReminderRequest request, ServerCallContext context)
    {
        Actors.CheckReminder(request.ActorType, request.ActorId, request.Name);
        await Actors.Reminders.DeleteAsync(request.ActorType, request.ActorId, request.Name, context.CancellationToken).ConfigureAwait(false);
        return Nothing;
    }

    private async ValueTask<UnregisterActorRemindersByTypeResponse> UnregisterRemindersAsync(UnregisterActorRemindersByTypeRequest request, ServerCallContext context)
    {
        Actors.CheckReminder(request.ActorType, request.HasActorId ? request.ActorId : null, null);
        await Actors.Reminders.DeleteAllAsync(request.ActorType, request.HasActorId && request.ActorId.Length > 0 ? request.ActorId : null, context.CancellationToken).ConfigureAwait(false);
        return new UnregisterActorRemindersByTypeResponse();
    }

    private async ValueTask<ListActorRemindersResponse> ListRemindersAsync(ListActorRemindersRequest request, ServerCallContext context)
    {
        Actors.CheckReminder(request.ActorType, request.HasActorId ? request.ActorId : null, null);
        var response = new ListActorRemindersResponse();
        foreach (var (id, name, dueTime, period, _, data) in await Actors.Reminders.ListAsync(request.ActorType, request.HasActorId && request.ActorId.Length > 0 ? request.ActorId : null, context.CancellationToken).ConfigureAwait(false))
        {
            var reminder = new ActorReminder { ActorType = request.ActorType, ActorId = id, Data = Packed(data) };
            if (dueTime is not null)
                reminder.DueTime = dueTime;
            if (period is not null)
                reminder.Period = period;
            response.Reminders.Add(new NamedActorReminder { Name = name, Reminder = reminder });
        }

        return response;
    }

    private async ValueTask<GetActorReminderResponse> GetReminderAsync(GetActorReminderRequest request, ServerCallContext context)
    {
        Actors.CheckReminder(request.ActorType, request.ActorId, request.Name);
        var reminder = await Actors.Reminders.GetAsync(request.ActorType, request.ActorId, request.Name, context.CancellationToken).ConfigureAwait(false);
        var response = new GetActorReminderResponse { ActorType = request.ActorType, ActorId = request.ActorId, Data = Packed(reminder.Data) };
        if (reminder.DueTime is not null)
            response.DueTime = reminder.DueTime;
        if (reminder.Period is not null)
            response.Period = reminder.Period;
        if (reminder.Ttl is not null)
            response.Ttl = reminder.Ttl;
        return response;
    }
}
